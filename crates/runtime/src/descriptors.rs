//! How many files and sockets may this process have open?

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// More is of no use, and where the hard limit is "infinity" the kernel may refuse it.
const ENOUGH: u64 = 65_536;

/// Raises the soft limit as far as the hard one allows and there is a use for it, and says what it is then.
///
/// Systems start programs with a soft limit of 1,024 for the sake of those that use `select`.
pub fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    let wanted = hard.min(ENOUGH).max(soft);
    match setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        Ok(()) => wanted,
        Err(_) => soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_goes_up_and_the_hard_one_stays() {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let limit = raise();
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (limit, hard));
        assert!(limit >= soft && limit >= hard.min(ENOUGH));
    }
}
