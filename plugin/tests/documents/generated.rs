//! The man pages and the completions, made from the definition of the command line.

use std::fs;
use std::process::Command;

use nri_oci_hooks::cli::CommandLine;

#[allow(dead_code, reason = "its main is not called here")]
#[path = "../../examples/generate.rs"]
mod generate;

#[test]
fn each_command_has_a_man_page_that_names_every_option() {
    let directory = tempfile::tempdir().unwrap();
    generate::generate(directory.path()).unwrap();
    let page = |name: &str| {
        let text = fs::read_to_string(directory.path().join("man").join(format!("{name}.8")));
        // A hyphen is escaped there.
        text.unwrap().replace("\\-", "-")
    };
    let whole = page("nri-oci-hooks");
    let definition = CommandLine::definition();
    let mut options = 0;
    for command in definition.get_subcommands() {
        let name = command.get_name();
        assert!(whole.contains(&format!("nri-oci-hooks-{name}(8)")), "{whole}");
        let page = page(&format!("nri-oci-hooks-{name}"));
        for argument in command.get_arguments() {
            if let Some(long) = argument.get_long() {
                assert!(
                    page.contains(&format!("--{long}")),
                    "{name}: no --{long} in {page}"
                );
                options += 1;
            }
        }
        assert!(page.contains("Exit status:"), "{page}");
    }
    assert!(options > 20, "{options} options");
}

#[test]
fn each_shell_completes_every_command() {
    let directory = tempfile::tempdir().unwrap();
    generate::generate(directory.path()).unwrap();
    for file in ["nri-oci-hooks.bash", "nri-oci-hooks.fish", "_nri-oci-hooks"] {
        let path = directory.path().join("completions").join(file);
        let text = fs::read_to_string(&path).unwrap();
        for command in CommandLine::definition().get_subcommands() {
            assert!(
                text.contains(command.get_name()),
                "{file}: {}",
                command.get_name()
            );
        }
        assert!(text.contains("state-dir"), "{file}");
    }
    let completed = Command::new("bash")
        .args(["-euc", r#"source "$1"; COMP_WORDS=(nri-oci-hooks st); COMP_CWORD=1; complete=$(complete -p nri-oci-hooks); complete=${complete#*-F }; "${complete%% *}" nri-oci-hooks st nri-oci-hooks; echo "${COMPREPLY[@]}""#, "bash"])
        .arg(directory.path().join("completions/nri-oci-hooks.bash"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&completed.stdout),
        "status\n",
        "{completed:?}"
    );
}
