//! Which panels are on the dashboard, in which order?

use super::{Panel, Row, Shape, Unit};

/// The rows, from top to bottom.
pub const ROWS: &[Row] = &[
    Row { title: "Is it well?", panels: WELL },
    Row { title: "What do pods get?", panels: TOKENS },
    Row { title: "What hinders them?", panels: HINDRANCES },
    Row { title: "IMDS and Entra", panels: UPSTREAMS },
    Row { title: "The controller", panels: CONTROLLER },
    Row { title: "Azure Resource Manager", panels: ARM },
    Row { title: "What does it take?", panels: PROCESSES },
];

const WELL: &[Panel] = &[
    Panel {
        title: "Agents ready",
        about: "As many as there are nodes.",
        shape: Shape::Number,
        unit: Unit::Count,
        queries: &[("sum(podid_nmi_ready)", "ready")],
    },
    Panel {
        title: "Agents not ready",
        about: "None. Pods of their nodes get no tokens.",
        shape: Shape::Number,
        unit: Unit::Count,
        queries: &[("count(podid_nmi_ready) - sum(podid_nmi_ready)", "not ready")],
    },
    Panel {
        title: "Controllers that lead",
        about: "One; none in managed mode.",
        shape: Shape::Number,
        unit: Unit::Count,
        queries: &[("sum(podid_mic_leader)", "lead")],
    },
    Panel {
        title: "Oldest waiting assignment",
        about: "Seconds; minutes mean that somebody has to look.",
        shape: Shape::Number,
        unit: Unit::Seconds,
        queries: &[("max(podid_mic_oldest_waiting_assignment_seconds)", "oldest")],
    },
    Panel {
        title: "Identities set aside",
        about: "None. Azure refuses them.",
        shape: Shape::Number,
        unit: Unit::Count,
        queries: &[("sum(aadpodidentity_mic_refused_identities)", "set aside")],
    },
    Panel {
        title: "Redirect repairs, 1 h",
        about: "None, or one when another program starts.",
        shape: Shape::Number,
        unit: Unit::Count,
        queries: &[("sum(increase(aadpodidentity_nmi_redirect_repairs_total[1h]))", "repairs")],
    },
];

const TOKENS: &[Panel] = &[
    Panel {
        title: "Token requests by status",
        about: "200 for almost all; 400 is final, 429 and 503 are asked again, 499 hung up.",
        shape: Shape::Lines,
        unit: Unit::Rate,
        queries: &[(
            "sum by (status_code) (rate(aadpodidentity_nmi_operations_duration_seconds_count[$__rate_interval]))",
            "{{status_code}}",
        )],
    },
    Panel {
        title: "Tokens served from memory",
        about: "Close to all once pods have started.",
        shape: Shape::Lines,
        unit: Unit::Part,
        queries: &[(
            "sum(rate(podid_nmi_tokens_served_total{cache=\"hit\"}[$__rate_interval])) / \
             sum(rate(podid_nmi_tokens_served_total[$__rate_interval]))",
            "from memory",
        )],
    },
    Panel {
        title: "Life left of served tokens",
        about: "Hours. Below five minutes nothing new comes from IMDS or Entra.",
        shape: Shape::Lines,
        unit: Unit::Seconds,
        queries: &[
            (
                "histogram_quantile(0.5, sum by (le) (rate(podid_nmi_token_life_seconds_bucket[$__rate_interval])))",
                "half of them less than",
            ),
            (
                "histogram_quantile(0.05, sum by (le) (rate(podid_nmi_token_life_seconds_bucket[$__rate_interval])))",
                "one of twenty less than",
            ),
        ],
    },
];

const HINDRANCES: &[Panel] = &[
    Panel {
        title: "Refusals by reason",
        about: "The words are those of docs/reference/nmi.md. Probes of SDKs are left out.",
        shape: Shape::Lines,
        unit: Unit::Rate,
        queries: &[(
            "sum by (reason) (rate(podid_nmi_refusals_total{reason!~\"no-metadata-header|no-resource\"}\
             [$__rate_interval])) > 0",
            "{{reason}}",
        )],
    },
    Panel {
        title: "Requests held now",
        about: "Some when pods start; what they ask for may still come.",
        shape: Shape::Lines,
        unit: Unit::Count,
        queries: &[("sum(podid_nmi_held_requests)", "held")],
    },
    Panel {
        title: "How long requests are held",
        about: "As long as Azure takes for an assignment: seconds.",
        shape: Shape::Lines,
        unit: Unit::Seconds,
        queries: &[
            (
                "histogram_quantile(0.5, sum by (le) (rate(podid_nmi_hold_duration_seconds_bucket[$__rate_interval])))",
                "half of them less than",
            ),
            (
                "histogram_quantile(0.95, sum by (le) (rate(podid_nmi_hold_duration_seconds_bucket[$__rate_interval])))",
                "19 of 20 less than",
            ),
        ],
    },
];

const UPSTREAMS: &[Panel] = &[
    Panel {
        title: "Answers of IMDS and Entra",
        about: "ok. identity-not-found comes for a moment after an assignment.",
        shape: Shape::Lines,
        unit: Unit::Rate,
        queries: &[(
            "sum by (upstream, result) (rate(podid_nmi_upstream_duration_seconds_count[$__rate_interval]))",
            "{{upstream}}: {{result}}",
        )],
    },
    Panel {
        title: "How long they take",
        about: "Milliseconds for IMDS, tenths of a second for Entra.",
        shape: Shape::Lines,
        unit: Unit::Seconds,
        queries: &[(
            "histogram_quantile(0.95, sum by (upstream, le) \
             (rate(podid_nmi_upstream_duration_seconds_bucket{result=\"ok\"}[$__rate_interval])))",
            "{{upstream}}: 19 of 20 less than",
        )],
    },
    Panel {
        title: "Questions that wait for their turn",
        about: "None but when many pods start at once.",
        shape: Shape::Lines,
        unit: Unit::Count,
        queries: &[("sum by (upstream) (podid_nmi_upstream_queue_length)", "{{upstream}}")],
    },
];

const CONTROLLER: &[Panel] = &[
    Panel {
        title: "From wanted to assigned",
        about: "What a PATCH takes in Azure, and a moment.",
        shape: Shape::Lines,
        unit: Unit::Seconds,
        queries: &[
            (
                "histogram_quantile(0.5, sum by (le) (rate(podid_mic_time_to_assigned_seconds_bucket[$__rate_interval])))",
                "half of them less than",
            ),
            (
                "histogram_quantile(0.95, sum by (le) (rate(podid_mic_time_to_assigned_seconds_bucket[$__rate_interval])))",
                "19 of 20 less than",
            ),
        ],
    },
    Panel {
        title: "Waiting assignments",
        about: "None but for a moment when pods start.",
        shape: Shape::Lines,
        unit: Unit::Count,
        queries: &[("sum(podid_mic_waiting_assignments)", "waiting")],
    },
    Panel {
        title: "Assignments written",
        about: "As pods come and go.",
        shape: Shape::Lines,
        unit: Unit::Rate,
        queries: &[
            ("sum(rate(aadpodidentity_assigned_identity_addition_count[$__rate_interval]))", "created"),
            ("sum(rate(aadpodidentity_assigned_identity_deletion_count[$__rate_interval]))", "deleted"),
            ("sum(rate(aadpodidentity_kubernetes_api_operations_errors_count[$__rate_interval]))", "failed"),
        ],
    },
];

const ARM: &[Panel] = &[
    Panel {
        title: "PATCHes, and what shared one",
        about: "Few PATCHes for many pods.",
        shape: Shape::Lines,
        unit: Unit::Count,
        queries: &[
            ("sum(increase(podid_mic_patches_total[$__rate_interval]))", "PATCHes"),
            ("sum(increase(podid_mic_coalesced_total[$__rate_interval]))", "pods that shared one"),
            ("sum(increase(podid_mic_identity_refusals_total[$__rate_interval]))", "identities refused"),
            ("sum(increase(podid_mic_drift_found_total[$__rate_interval]))", "taken off by others"),
        ],
    },
    Panel {
        title: "How long calls take",
        about: "Seconds for updates, less for reads.",
        shape: Shape::Lines,
        unit: Unit::Seconds,
        queries: &[(
            "histogram_quantile(0.95, sum by (operation_type, le) \
             (rate(aadpodidentity_cloud_provider_operations_duration_seconds_bucket[$__rate_interval])))",
            "{{operation_type}}: 19 of 20 less than",
        )],
    },
    Panel {
        title: "Budget of requests that is left",
        about: "Close to all; little means that assignments become slow.",
        shape: Shape::Lines,
        unit: Unit::Part,
        queries: &[("min by (kind, verb) (podid_mic_arm_budget_ratio)", "{{kind}} {{verb}}")],
    },
];

const PROCESSES: &[Panel] = &[
    Panel {
        title: "Memory of the largest agent, and of the controller",
        about: "Megabytes, and flat.",
        shape: Shape::Lines,
        unit: Unit::Bytes,
        queries: &[
            ("max(process_resident_memory_bytes and on(instance) podid_nmi_ready)", "agent"),
            ("max(process_resident_memory_bytes and on(instance) podid_mic_leader)", "controller"),
        ],
    },
    Panel {
        title: "CPU of the busiest agent, and of the controller",
        about: "Parts of a core.",
        shape: Shape::Lines,
        unit: Unit::Part,
        queries: &[
            (
                "max(rate(process_cpu_seconds_total[$__rate_interval]) and on(instance) podid_nmi_ready)",
                "agent",
            ),
            (
                "max(rate(process_cpu_seconds_total[$__rate_interval]) and on(instance) podid_mic_leader)",
                "controller",
            ),
        ],
    },
    Panel {
        title: "Age of the controller's watches",
        about: "At most five minutes.",
        shape: Shape::Lines,
        unit: Unit::Seconds,
        queries: &[("max by (kind) (podid_mic_watch_age_seconds)", "{{kind}}")],
    },
];
