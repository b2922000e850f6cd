//! Which questions are there?

use super::{Field, Query, Then};

const POD_NAMESPACE: Field = Field("pod.namespace");
const POD: Field = Field("pod.name");
const IDENTITY_NAMESPACE: Field = Field("identity.namespace");
const IDENTITY: Field = Field("identity.name");
const CLIENT: Field = Field("identity.client_id");
const RESOURCE: Field = Field("resource");
const DECISION: Field = Field("decision");
const REASON: Field = Field("reason");
const PEER: Field = Field("peer");
const PATH: Field = Field("path");

/// The queries, each a file for Log Analytics and one for Loki.
pub const QUERIES: &[Query] = &[
    Query {
        name: "who-used-which-identity",
        question: "Which pods used which identity, for which resource?",
        only: &[(DECISION, &["served"])],
        by: &[POD_NAMESPACE, POD, IDENTITY_NAMESPACE, IDENTITY, CLIENT, RESOURCE],
        days: 1,
        then: Then::Show,
    },
    Query {
        name: "first-use",
        question: "Which namespaces used an identity or a resource in the last day that they had not used in the 30 days before?",
        only: &[(DECISION, &["served"])],
        by: &[POD_NAMESPACE, IDENTITY_NAMESPACE, IDENTITY, RESOURCE],
        days: 31,
        then: Then::OnlyNew { days: 1 },
    },
    Query {
        name: "refused",
        question: "Which pods were refused, for which reason, and which identity had been chosen for them?",
        only: &[(DECISION, &["refused", "not yet"])],
        by: &[REASON, POD_NAMESPACE, POD, IDENTITY_NAMESPACE, IDENTITY, RESOURCE],
        days: 1,
        then: Then::Show,
    },
    Query {
        name: "suspicious",
        question: "Who asked for what no program asks for by mistake?",
        only: &[(
            REASON,
            &["identity-protected", "host-token-foreign", "caller-ambiguous", "caller-changed", "forwarded"],
        )],
        by: &[REASON, PEER, PATH, POD_NAMESPACE, POD],
        days: 7,
        then: Then::Show,
    },
    Query {
        name: "passed-through",
        question: "Which pods with an exception asked IMDS as their node does?",
        only: &[(DECISION, &["passed through"])],
        by: &[POD_NAMESPACE, POD, PATH],
        days: 7,
        then: Then::Show,
    },
    Query {
        name: "unused-identities",
        question: "Which identities has nobody used for 30 days?",
        only: &[(DECISION, &["served"])],
        by: &[IDENTITY_NAMESPACE, IDENTITY],
        days: 30,
        then: Then::OnlyAbsent,
    },
];
