//! What can be wrong with agents, and with pods that ask them?

use super::{Alert, Scene, Severity};

pub(super) const ALERTS: [Alert; 10] = [
    Alert {
        name: "PodidAgentNotReady",
        expression: "podid_nmi_ready == 0",
        lasting: "5m",
        severity: Severity::Critical,
        summary: "An agent is not ready: pods of its node get no tokens.",
        description: "The agent at {{ $labels.instance }} has not been ready for five minutes. Its /readyz says what it \
                      waits for.",
        fires: Scene { series: &[("podid_nmi_ready{instance=\"node-1:9090\"}", "1x3 0x20")], at: "15m" },
        labels: &[("instance", "node-1:9090")],
        silent: Scene { series: &[("podid_nmi_ready{instance=\"node-1:9090\"}", "1x3 0x3 1x20")], at: "7m" },
    },
    Alert {
        name: "PodidRedirectRepaired",
        expression: "increase(aadpodidentity_nmi_redirect_repairs_total[15m]) > 2",
        lasting: "0m",
        severity: Severity::Warning,
        summary: "Another program changes the rules of the redirect again and again.",
        description: "The redirect at {{ $labels.instance }} was repaired several times in a quarter of an hour. The \
                      agent's log names the program that changed it.",
        fires: Scene {
            series: &[("aadpodidentity_nmi_redirect_repairs_total{instance=\"node-1:9090\"}", "0x5 1+1x20")],
            at: "20m",
        },
        labels: &[("instance", "node-1:9090")],
        silent: Scene {
            series: &[("aadpodidentity_nmi_redirect_repairs_total{instance=\"node-1:9090\"}", "0x5 1x20")],
            at: "20m",
        },
    },
    Alert {
        name: "PodidHoldsLong",
        expression: "histogram_quantile(0.9, sum by (instance, le) (rate(podid_nmi_hold_duration_seconds_bucket[10m]))) \
                     > 20 and sum by (instance) (increase(podid_nmi_hold_duration_seconds_count[10m])) > 5",
        lasting: "5m",
        severity: Severity::Warning,
        summary: "Pods wait long for tokens whose identity is not there yet.",
        description: "One of ten requests that the agent at {{ $labels.instance }} holds is held for more than 20 \
                      seconds. Look for assignments that are stuck.",
        fires: Scene {
            series: &[
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-1:9090\",outcome=\"not yet\",le=\"20.0\"}",
                    "0x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-1:9090\",outcome=\"not yet\",le=\"50.0\"}",
                    "0+6x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-1:9090\",outcome=\"not yet\",le=\"+Inf\"}",
                    "0+6x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_count{instance=\"node-1:9090\",outcome=\"not yet\"}",
                    "0+6x30",
                ),
            ],
            at: "25m",
        },
        labels: &[("instance", "node-1:9090")],
        // Many short ones on one node, and a single long one on another.
        silent: Scene {
            series: &[
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-1:9090\",outcome=\"served\",le=\"2.5\"}",
                    "0+6x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-1:9090\",outcome=\"served\",le=\"20.0\"}",
                    "0+6x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-1:9090\",outcome=\"served\",le=\"+Inf\"}",
                    "0+6x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_count{instance=\"node-1:9090\",outcome=\"served\"}",
                    "0+6x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-2:9090\",outcome=\"not yet\",le=\"20.0\"}",
                    "0x30",
                ),
                (
                    "podid_nmi_hold_duration_seconds_bucket{instance=\"node-2:9090\",outcome=\"not yet\",le=\"+Inf\"}",
                    "0x17 1x13",
                ),
                (
                    "podid_nmi_hold_duration_seconds_count{instance=\"node-2:9090\",outcome=\"not yet\"}",
                    "0x17 1x13",
                ),
            ],
            at: "25m",
        },
    },
    Alert {
        name: "PodidRefusals",
        expression: "sum by (reason) (rate(podid_nmi_refusals_total{reason=~\"no-binding|other-namespace|\
                     identity-missing|identity-invalid|not-granted|not-assigned|assignment-outdated|unknown-to-imds|\
                     secret-unread|identity-unusable|upstream-refused\"}[10m])) > 0.05",
        lasting: "10m",
        severity: Severity::Warning,
        summary: "Pods are refused tokens for a reason that somebody can mend.",
        description: "More than three requests a minute are refused with the reason {{ $labels.reason }}. `podid why` \
                      on one of the pods says what to change.",
        fires: Scene {
            series: &[("podid_nmi_refusals_total{instance=\"node-1:9090\",reason=\"no-binding\"}", "0+6x40")],
            at: "30m",
        },
        labels: &[("reason", "no-binding")],
        silent: Scene {
            series: &[
                ("podid_nmi_refusals_total{instance=\"node-1:9090\",reason=\"no-binding\"}", "0x10 2x30"),
                (
                    "podid_nmi_refusals_total{instance=\"node-1:9090\",reason=\"no-metadata-header\"}",
                    "0+60x40",
                ),
            ],
            at: "30m",
        },
    },
    Alert {
        name: "PodidSuspiciousRequests",
        expression: "sum by (instance, reason) (increase(podid_nmi_refusals_total{reason=~\"identity-protected|\
                     host-token-foreign|caller-ambiguous|caller-changed|forwarded\"}[15m])) > 0",
        lasting: "0m",
        severity: Severity::Warning,
        summary: "Somebody asks for what nobody should ask for.",
        description: "Requests at {{ $labels.instance }} were refused with the reason {{ $labels.reason }}, which no \
                      program has by mistake. The audit stream names pod and address.",
        fires: Scene {
            series: &[(
                "podid_nmi_refusals_total{instance=\"node-1:9090\",reason=\"forwarded\"}",
                "0x10 1x10",
            )],
            at: "15m",
        },
        labels: &[("instance", "node-1:9090"), ("reason", "forwarded")],
        silent: Scene {
            series: &[(
                "podid_nmi_refusals_total{instance=\"node-1:9090\",reason=\"no-binding\"}",
                "0x10 1x10",
            )],
            at: "15m",
        },
    },
    Alert {
        name: "PodidUpstreamErrors",
        expression: "sum by (upstream) (rate(podid_nmi_upstream_duration_seconds_count{\
                     result=~\"throttled|unavailable|refused|credential-unusable\"}[5m])) / \
                     sum by (upstream) (rate(podid_nmi_upstream_duration_seconds_count[5m])) > 0.1",
        lasting: "5m",
        severity: Severity::Warning,
        summary: "IMDS or Entra does not answer as it should.",
        description: "More than a tenth of the calls of {{ $labels.upstream }} fail. Tokens that are in memory are \
                      served as long as they live. podid_nmi_upstream_errors_total says with which code.",
        fires: Scene {
            series: &[
                (
                    "podid_nmi_upstream_duration_seconds_count{instance=\"node-1:9090\",upstream=\"imds\",result=\"ok\"}",
                    "0+8x30",
                ),
                (
                    "podid_nmi_upstream_duration_seconds_count{instance=\"node-1:9090\",upstream=\"imds\",result=\"unavailable\"}",
                    "0+2x30",
                ),
            ],
            at: "20m",
        },
        labels: &[("upstream", "imds")],
        silent: Scene {
            series: &[
                (
                    "podid_nmi_upstream_duration_seconds_count{instance=\"node-1:9090\",upstream=\"imds\",result=\"ok\"}",
                    "0+8x30",
                ),
                (
                    "podid_nmi_upstream_duration_seconds_count{instance=\"node-1:9090\",upstream=\"imds\",result=\"identity-not-found\"}",
                    "0+8x30",
                ),
            ],
            at: "20m",
        },
    },
    Alert {
        name: "PodidTokensRunOut",
        expression: "sum by (instance) (rate(podid_nmi_token_life_seconds_bucket{le=~\"300(\\\\.0)?\"}[5m])) > 0",
        lasting: "5m",
        severity: Severity::Critical,
        summary: "Pods get tokens that end within five minutes.",
        description: "The agent at {{ $labels.instance }} gets no new tokens and serves the last ones while they live. \
                      IMDS or Entra has been out of reach for long.",
        fires: Scene {
            series: &[(
                "podid_nmi_token_life_seconds_bucket{instance=\"node-1:9090\",le=\"300.0\"}",
                "0x5 0+3x30",
            )],
            at: "20m",
        },
        labels: &[("instance", "node-1:9090")],
        silent: Scene {
            series: &[
                ("podid_nmi_token_life_seconds_bucket{instance=\"node-1:9090\",le=\"300.0\"}", "0x30"),
                ("podid_nmi_token_life_seconds_bucket{instance=\"node-1:9090\",le=\"900.0\"}", "0+9x30"),
            ],
            at: "20m",
        },
    },
    Alert {
        name: "PodidUpstreamQueue",
        expression: "histogram_quantile(0.9, sum by (instance, upstream, le) (rate(\
                     podid_nmi_upstream_queue_wait_seconds_bucket[5m]))) > 10",
        lasting: "5m",
        severity: Severity::Warning,
        summary: "Questions to IMDS or Entra wait long for their turn.",
        description: "One of ten questions of {{ $labels.instance }} to {{ $labels.upstream }} waits for more than ten \
                      seconds: pods of this node ask for more new tokens than the limit allows.",
        fires: Scene {
            series: &[
                (
                    "podid_nmi_upstream_queue_wait_seconds_bucket{instance=\"node-1:9090\",upstream=\"imds\",le=\"10.0\"}",
                    "0x30",
                ),
                (
                    "podid_nmi_upstream_queue_wait_seconds_bucket{instance=\"node-1:9090\",upstream=\"imds\",le=\"30.0\"}",
                    "0+60x30",
                ),
                (
                    "podid_nmi_upstream_queue_wait_seconds_bucket{instance=\"node-1:9090\",upstream=\"imds\",le=\"+Inf\"}",
                    "0+60x30",
                ),
            ],
            at: "20m",
        },
        labels: &[("instance", "node-1:9090"), ("upstream", "imds")],
        silent: Scene {
            series: &[
                (
                    "podid_nmi_upstream_queue_wait_seconds_bucket{instance=\"node-1:9090\",upstream=\"imds\",le=\"1.0\"}",
                    "0+60x30",
                ),
                (
                    "podid_nmi_upstream_queue_wait_seconds_bucket{instance=\"node-1:9090\",upstream=\"imds\",le=\"10.0\"}",
                    "0+60x30",
                ),
                (
                    "podid_nmi_upstream_queue_wait_seconds_bucket{instance=\"node-1:9090\",upstream=\"imds\",le=\"+Inf\"}",
                    "0+60x30",
                ),
            ],
            at: "20m",
        },
    },
    Alert {
        name: "PodidAuditLinesLost",
        expression: "increase(podid_audit_lines_lost_total[15m]) > 0",
        lasting: "0m",
        severity: Severity::Warning,
        summary: "Lines of the audit stream were lost.",
        description: "The agent at {{ $labels.instance }} could not write lines of the audit stream. Its log says why: \
                      a full disk, or a reader that is too slow.",
        fires: Scene {
            series: &[("podid_audit_lines_lost_total{instance=\"node-1:9090\"}", "0x10 7x10")],
            at: "15m",
        },
        labels: &[("instance", "node-1:9090")],
        silent: Scene {
            series: &[("podid_audit_lines_lost_total{instance=\"node-1:9090\"}", "7x20")],
            at: "15m",
        },
    },
    Alert {
        name: "PodidSeveralVersions",
        expression: "count(count by (version) (podid_build_info)) > 1",
        lasting: "2h",
        severity: Severity::Info,
        summary: "Several versions of podid have been running for two hours.",
        description: "A rollout has not come to its end. `kubectl rollout status` says where it stands.",
        fires: Scene {
            series: &[
                ("podid_build_info{instance=\"node-1:9090\",version=\"1.0.0\"}", "1x200"),
                ("podid_build_info{instance=\"node-2:9090\",version=\"1.1.0\"}", "1x200"),
            ],
            at: "150m",
        },
        labels: &[],
        silent: Scene {
            series: &[
                ("podid_build_info{instance=\"node-1:9090\",version=\"1.1.0\"}", "1x200"),
                ("podid_build_info{instance=\"node-2:9090\",version=\"1.1.0\"}", "1x200"),
            ],
            at: "150m",
        },
    },
];
