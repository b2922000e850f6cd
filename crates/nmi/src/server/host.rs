//! What does a program of the node get that asks on behalf of a pod?

use std::net::IpAddr;

use podid_core::ids::ObjectRef;
use podid_core::refusal::{Cause, Refusal};
use podid_core::request::TokenRequest;

use super::Server;
use super::token::{Decided, Manner};
use crate::caller::{self, Found};
use crate::record::{Outcome, Record};
use crate::reply::Reply;

impl Server {
    /// The host token route: whoever is on the node names the pod. Exceptions do not apply.
    pub(super) async fn host_token(
        mut self,
        mut record: Record,
        peer: IpAddr,
        pod: &ObjectRef,
        wanted: &TokenRequest,
    ) -> Reply {
        record.resource(&wanted.resource);
        record.named(pod);
        if !peer.to_canonical().is_loopback() {
            return record.refuse(&Refusal::forbidden(
                Cause::HostTokenForeign,
                "The route /host/token/ answers this node's own programs only.",
            ));
        }
        if let Err(refusal) = caller::in_step(&mut self.snapshots).await {
            return record.refuse(&refusal);
        }
        let resident = self.snapshots.borrow_and_update().live(pod);
        let Some(resident) = resident else {
            let node = &self.parts.terms.node;
            return record.refuse(&Refusal::never(
                Cause::HostTokenNoPod,
                format!("no pod {pod} runs on node {node}."),
            ));
        };
        record.pod(&resident);
        let found = Found { resident, by_lookup: false, version: 0 };
        match self.decide(Manner::Host, found, wanted, &mut record).await {
            Decided::Token(reply) => {
                record.end(reply.status().as_u16(), Outcome::Served);
                reply
            }
            Decided::PassThrough(_) => record.refuse(&Refusal::forbidden(
                Cause::HostTokenForeign,
                "Exceptions do not apply to /host/token/.",
            )),
            Decided::Refuse(refusal) => record.refuse(&refusal),
        }
    }
}
