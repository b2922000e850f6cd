//! What can be wrong with the controller, and with what it does in Azure?

use super::{Alert, Scene, Severity};

pub(super) const ALERTS: [Alert; 7] = [
    Alert {
        name: "PodidNobodyLeads",
        expression: "absent(podid_mic_leader == 1)",
        lasting: "2m",
        severity: Severity::Critical,
        summary: "No controller leads: pods on new nodes get no identities.",
        description: "For two minutes no replica of MIC has led, or none can be scraped. Pods that have their \
                      identities keep getting tokens.",
        fires: Scene {
            series: &[
                ("podid_mic_leader{instance=\"mic-0:8888\"}", "1x3 0x20"),
                ("podid_mic_leader{instance=\"mic-1:8888\"}", "0x20"),
            ],
            at: "10m",
        },
        labels: &[],
        silent: Scene {
            series: &[
                ("podid_mic_leader{instance=\"mic-0:8888\"}", "1x3 0x20"),
                ("podid_mic_leader{instance=\"mic-1:8888\"}", "0x3 1x20"),
            ],
            at: "10m",
        },
    },
    Alert {
        name: "PodidAssignmentsStuck",
        expression: "podid_mic_oldest_waiting_assignment_seconds > 300",
        lasting: "1m",
        severity: Severity::Warning,
        summary: "A pod has waited for its identity for more than five minutes.",
        description: "The controller {{ $labels.instance }} cannot bring an assignment into effect. Its log and the \
                      events of the bindings say why.",
        fires: Scene {
            series: &[("podid_mic_oldest_waiting_assignment_seconds{instance=\"mic-0:8888\"}", "0+60x20")],
            at: "10m",
        },
        labels: &[("instance", "mic-0:8888")],
        silent: Scene {
            series: &[(
                "podid_mic_oldest_waiting_assignment_seconds{instance=\"mic-0:8888\"}",
                "0+60x4 0x20",
            )],
            at: "4m",
        },
    },
    Alert {
        name: "PodidIdentityQuarantined",
        expression: "max_over_time(aadpodidentity_mic_refused_identities[10m]) > 0",
        lasting: "10m",
        severity: Severity::Warning,
        summary: "Azure refuses an identity, which was set aside.",
        description: "The controller {{ $labels.instance }} tries it again now and then; the others are not held up. \
                      The events of its binding give Azure's words.",
        fires: Scene {
            series: &[(
                "aadpodidentity_mic_refused_identities{instance=\"mic-0:8888\"}",
                "0x5 1x6 0 1x6 0 1x10",
            )],
            at: "20m",
        },
        labels: &[("instance", "mic-0:8888")],
        silent: Scene {
            series: &[("aadpodidentity_mic_refused_identities{instance=\"mic-0:8888\"}", "0x25")],
            at: "20m",
        },
    },
    Alert {
        name: "PodidDrift",
        expression: "increase(podid_mic_drift_found_total[30m]) > 0",
        lasting: "0m",
        severity: Severity::Warning,
        summary: "Somebody else took identities off a VM or scale set.",
        description: "The controller {{ $labels.instance }} puts them back. Its log names target and identities; the \
                      activity log of Azure names who did it.",
        fires: Scene {
            series: &[("podid_mic_drift_found_total{instance=\"mic-0:8888\"}", "0x10 2x10")],
            at: "15m",
        },
        labels: &[("instance", "mic-0:8888")],
        silent: Scene {
            series: &[("podid_mic_drift_found_total{instance=\"mic-0:8888\"}", "2x20")],
            at: "15m",
        },
    },
    Alert {
        name: "PodidArmBudgetLow",
        expression: "min by (kind, verb) (podid_mic_arm_budget_ratio) < 0.2",
        lasting: "10m",
        severity: Severity::Warning,
        summary: "Azure Resource Manager allows few more requests.",
        description: "Less than a fifth of the budget for {{ $labels.verb }} requests about {{ $labels.kind }} has been \
                      left for ten minutes. Assignments become slow; others may be spending from it.",
        fires: Scene {
            series: &[(
                "podid_mic_arm_budget_ratio{instance=\"mic-0:8888\",kind=\"vmss\",verb=\"write\"}",
                "1x3 0.1x20",
            )],
            at: "20m",
        },
        labels: &[("kind", "vmss"), ("verb", "write")],
        silent: Scene {
            series: &[(
                "podid_mic_arm_budget_ratio{instance=\"mic-0:8888\",kind=\"vmss\",verb=\"write\"}",
                "1x3 0.1x5 0.6x20",
            )],
            at: "20m",
        },
    },
    Alert {
        name: "PodidTargetsInTrouble",
        expression: "increase(podid_mic_target_troubles_total[15m]) > 3",
        lasting: "10m",
        severity: Severity::Warning,
        summary: "A VM or scale set cannot be read or written.",
        description: "The controller {{ $labels.instance }} fails again and again. Its log names the target and Azure's \
                      words; a missing right is the commonest cause.",
        fires: Scene {
            series: &[("podid_mic_target_troubles_total{instance=\"mic-0:8888\"}", "0x5 0+1x40")],
            at: "40m",
        },
        labels: &[("instance", "mic-0:8888")],
        silent: Scene {
            series: &[("podid_mic_target_troubles_total{instance=\"mic-0:8888\"}", "0x5 2x40")],
            at: "40m",
        },
    },
    Alert {
        name: "PodidWatchStalled",
        expression: "max by (instance, kind) (podid_mic_watch_age_seconds) > 600",
        lasting: "1m",
        severity: Severity::Critical,
        summary: "The controller hears nothing from the API server.",
        description: "For ten minutes the API server has not answered the watch for {{ $labels.kind }} of \
                      {{ $labels.instance }}. New pods are not seen.",
        fires: Scene {
            series: &[("podid_mic_watch_age_seconds{instance=\"mic-0:8888\",kind=\"pods\"}", "0+60x20")],
            at: "15m",
        },
        labels: &[("instance", "mic-0:8888"), ("kind", "pods")],
        silent: Scene {
            series: &[(
                "podid_mic_watch_age_seconds{instance=\"mic-0:8888\",kind=\"pods\"}",
                "0+60x4 0+60x4 0+60x8",
            )],
            at: "15m",
        },
    },
];
