//! How do programs that lie in several places come into one folder?

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::program::Program;

/// Makes the folder that holds all of `found`, and returns its path.
///
/// That is `home`, where most of them were built, with links to the others; or, if some were `given` to us, a folder
/// beside them with nothing but links, so that no link ever stands in for what we build.
pub(crate) fn assemble(home: &Path, given: bool, found: &[(Program, PathBuf)]) -> anyhow::Result<PathBuf> {
    let folder = if given { home.join("given") } else { home.to_path_buf() };
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for program in Program::ALL {
        let here = folder.join(program.name());
        match found.iter().find(|(known, _)| *known == program).map(|(_, path)| path) {
            Some(path) if *path == here => {}
            Some(path) => link(path, &here)?,
            // A link of an earlier run must not offer what is not there this time.
            None if given => remove(&here)?,
            None => {}
        }
    }
    Ok(folder)
}

/// Makes `link` point to `program`. Another run that does the same at this moment does no harm.
fn link(program: &Path, link: &Path) -> anyhow::Result<()> {
    if fs::read_link(link).is_ok_and(|target| target == program) {
        return Ok(());
    }
    let new = link.with_extension(format!("new-{}", std::process::id()));
    remove(&new)?;
    symlink(program, &new)
        .and_then(|()| fs::rename(&new, link))
        .with_context(|| format!("cannot link {} to {}", link.display(), program.display()))
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn what_was_built_stays_where_it_is_and_the_rest_is_linked() {
        let target = TempDir::new().unwrap();
        let home = target.path().join("1.30");
        fs::create_dir(&home).unwrap();
        let built = home.join("kubectl");
        let elsewhere = target.path().join("etcd");
        fs::write(&built, "ours").unwrap();
        fs::write(&elsewhere, "etcd").unwrap();
        let found = [(Program::Kubectl, built.clone()), (Program::Etcd, elsewhere)];
        for _ in 0..2 {
            assert_eq!(assemble(&home, false, &found).unwrap(), home);
        }
        assert!(!built.is_symlink());
        assert_eq!(fs::read_to_string(home.join("etcd")).unwrap(), "etcd");
    }

    #[test]
    fn given_programs_do_not_replace_what_was_built() {
        let target = TempDir::new().unwrap();
        let built = target.path().join("etcd");
        let given = target.path().join("theirs");
        fs::write(&built, "ours").unwrap();
        fs::write(&given, "theirs").unwrap();
        let folder = assemble(target.path(), true, &[(Program::Etcd, given)]).unwrap();
        assert_eq!(fs::read_to_string(folder.join("etcd")).unwrap(), "theirs");
        assert_eq!(fs::read_to_string(&built).unwrap(), "ours");
        assemble(target.path(), true, &[]).unwrap();
        assert!(!folder.join("etcd").exists(), "the link of the run before is still there");
    }
}
