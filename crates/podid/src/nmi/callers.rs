//! Which arguments say what no pod gets, and what every pod may ask?

use podid_core::answer::ProtectedId;
use podid_core::request::PassThrough;
use podid_nmi::Callers;

/// Arguments about callers.
#[derive(clap::Args)]
pub(super) struct CallerArgs {
    /// Identity that no pod may have, whatever is bound to it: its client id or resource id; may be repeated.
    /// Pods with an exception ask IMDS themselves and are not held back
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    protected_identity: Vec<ProtectedId>,

    /// What pods without an exception may ask IMDS beside tokens: instance (reading instance metadata and versions)
    /// or all (as aad-pod-identity: anything under /metadata, by any method, but identity paths)
    #[arg(long, value_name = "WHAT", default_value = "instance", value_parser = parse_pass_through)]
    pass_through: PassThrough,

    /// Send a service principal's tokens of auxiliary tenants along, in a JSON list as aad-pod-identity does. No SDK
    /// understands it; without this the primary tenant's token is sent alone
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false",
          default_missing_value = "true", action = clap::ArgAction::Set)]
    auxiliary_tenants_array: bool,
}

fn parse_pass_through(text: &str) -> Result<PassThrough, String> {
    match text {
        "instance" => Ok(PassThrough::Instance),
        "all" => Ok(PassThrough::All),
        _ => Err("use instance or all".to_owned()),
    }
}

// === impl CallerArgs ===

impl CallerArgs {
    pub(super) fn config(&self) -> Callers {
        Callers {
            protected: self.protected_identity.iter().cloned().collect(),
            auxiliary_tenants: self.auxiliary_tenants_array,
        }
    }

    /// Says what is open that is closed by default.
    pub(super) fn report(&self, host_token_route: bool) {
        if self.pass_through == PassThrough::All {
            tracing::warn!(
                "every pod reaches all of IMDS but identity paths (--pass-through=all), with the standing of the node; \
                 an AzurePodIdentityException for the pods that need it is safer"
            );
        }
        if host_token_route {
            tracing::warn!(
                "any program of this node gets any pod's token at /host/token/ (--host-token-route); \
                 switch it off when nothing needs it any more"
            );
        }
    }

    pub(super) fn pass_through(&self) -> PassThrough {
        self.pass_through
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use podid_core::answer::Protected;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: CallerArgs,
    }

    fn parse(arguments: &[&str]) -> Result<CallerArgs, clap::Error> {
        Cli::try_parse_from(["nmi"].iter().chain(arguments)).map(|cli| cli.args)
    }

    #[test]
    fn nothing_is_protected_and_little_is_open_unless_it_is_said() {
        let args = parse(&[]).unwrap();
        assert_eq!(
            (args.config().protected, args.pass_through()),
            (Protected::default(), PassThrough::Instance)
        );
        assert!(!args.config().auxiliary_tenants);
        assert!(parse(&["--auxiliary-tenants-array"]).unwrap().config().auxiliary_tenants);
        assert_eq!(parse(&["--pass-through=all"]).unwrap().pass_through(), PassThrough::All);
        assert!(parse(&["--pass-through=some"]).err().unwrap().to_string().contains("use instance or all"));
    }

    #[test]
    fn identities_are_protected_by_either_id_in_a_list_or_one_by_one() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/kubelet";
        let list = parse(&[&format!("--protected-identity=AA,{id}")]).unwrap().config().protected;
        let single = parse(&["--protected-identity=aa", "--protected-identity", &id.to_ascii_uppercase()]);
        assert_eq!(list, single.unwrap().config().protected);
        for wrong in ["/subscriptions/s", "a,,b", ""] {
            let error = parse(&["--protected-identity", wrong]).err().unwrap().to_string();
            assert!(error.contains("--protected-identity"), "{error}");
        }
    }
}
