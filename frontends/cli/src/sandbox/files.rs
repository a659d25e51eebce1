//! Files and ports, which Landlock restricts.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible as _, LandlockStatus, NetPort, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetError, Scope, path_beneath_rules,
};

use super::state::{Entered, NotEntered, Sandbox};

/// What is asked of the kernel. An older kernel does what it can.
const WANTED: ABI = ABI::V6;

/// The first version that restricts ports.
const WITH_PORTS: ABI = ABI::V4;

impl From<RulesetError> for NotEntered {
    fn from(error: RulesetError) -> Self {
        Self::Failed(error.into())
    }
}

/// Leaves the process the files and the ports of `sandbox`.
pub(super) fn restrict(sandbox: &Sandbox) -> Result<Entered, NotEntered> {
    let (read, write) = (reading(), reading() | writing());
    let restricted = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(WANTED))?
        .handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?
        .scope(if sandbox.abstract_sockets { Scope::Signal.into() } else { Scope::Signal | Scope::AbstractUnixSocket })?
        .create()?
        // What is not there, or not for this user, is left out.
        .add_rules(path_beneath_rules(sandbox.reach.read(), read))?
        .add_rules(path_beneath_rules(sandbox.reach.write(), write))?
        .add_rules(sandbox.reach.ports().map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp))))?
        .add_rules(sandbox.listen.iter().map(|port| Ok::<_, RulesetError>(NetPort::new(*port, AccessNet::BindTcp))))?
        .restrict_self()?;
    match restricted.landlock {
        LandlockStatus::Available { effective_abi, .. } if effective_abi >= WITH_PORTS => Ok(Entered::Whole),
        LandlockStatus::Available { .. } => Ok(Entered::WithoutPorts),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => Err(NotEntered::Unsupported),
    }
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// All but executing files and making devices.
fn writing() -> BitFlags<AccessFs> {
    AccessFs::from_write(WANTED) & !(AccessFs::MakeChar | AccessFs::MakeBlock)
}
