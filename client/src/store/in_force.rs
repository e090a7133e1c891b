//! What a server that has just started really runs with, and what of it will hurt.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use redis::Connection;
use shardscale::record::server::InForce;
use shardscale::record::store;
use shardscale::record::units::show_bytes;
use shardscale::record::{module, product};

use super::config::Config;
use crate::inquiry;
use crate::limits::BACKLOG_WANTED;
use crate::node::{self, Root, interface};

/// What a server said at its start.
pub struct Said {
    /// Product and version, such as `redis 7.0.15`.
    pub version: String,
    pub in_force: InForce,
}

/// Asks the server behind `connection`, which `program` is.
///
/// # Errors
/// It does not answer, it is another product than its program said, or it does not run with the threads or the options of the
/// allocator that were asked for.
pub fn ask(connection: &mut Connection, program: &str, config: &Config, ifname: &str) -> Result<Said> {
    let no_answer = "it does not say what it runs with";
    let fields = inquiry::fields(connection).context(no_answer)?;
    let told = |name: &str| fields.get(name).map(String::as_str);
    let malloc = inquiry::malloc_options(connection, config.settings.malloc_conf.options()).context(no_answer)?;
    config.settings.check_malloc(told("mem_allocator").unwrap_or("an unknown one"), &malloc)?;
    let identity = product::of_info(told);
    ensure!(
        identity.product == Some(config.product) || fields.is_empty(),
        "{program:?} calls itself {} for --version, and as a running server says that it is {identity}: its settings are not \
         those of that product; give the path of the server itself",
        config.product
    );
    let settings = inquiry::settings(connection).context(no_answer)?;
    config.settings.check_threads(store::threads(&settings, &fields))?;
    let modules = inquiry::modules(connection).context(no_answer)?;
    let missing = module::missing(&config.settings.load_module, &modules);
    ensure!(missing.is_empty(), "the server has not loaded --load-module {missing:?}; it has {modules:?}");
    let root = Root::real();
    let interfaces = interface::of_this_host().unwrap_or_default();
    Ok(Said {
        version: identity.to_string(),
        in_force: InForce {
            program: program.to_owned(),
            settings,
            malloc,
            modules,
            interface: Some(interface::facts(&root, ifname)),
            node: node::facts(&root, &interfaces),
            warnings: Vec::new(),
        },
    })
}

/// What will make `clients` connections slow or fail, or large tensors expensive; each with what to do.
pub fn warnings(in_force: &InForce, clients: u64) -> Vec<String> {
    let (node, mut warnings) = (&in_force.node, Vec::new());
    let waiting = clients.min(BACKLOG_WANTED.into());
    if let Some(queue) = node.somaxconn.filter(|queue| u64::from(*queue) < waiting) {
        warnings.push(format!(
            "net.core.somaxconn is {queue}: no more connections wait to be accepted, and {clients} ranks will connect; they \
             come one after another, but ask for `sysctl -w net.core.somaxconn={BACKLOG_WANTED}`"
        ));
    }
    if node.overcommit_memory == Some(2) {
        warnings.push(
            "vm.overcommit_memory is 2: the kernel may refuse the server memory that is there; ask for 0 or 1"
                .to_owned(),
        );
    }
    if let (Some(limit), Some(memory)) = (number(&in_force.settings, "maxmemory"), node.memory_bytes)
        && limit > memory
    {
        warnings.push(format!(
            "maxmemory is {}, the node has {}: it will never be reached",
            show_bytes(limit),
            show_bytes(memory)
        ));
    }
    warnings
}

fn number(fields: &BTreeMap<String, String>, name: &str) -> Option<u64> {
    fields.get(name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use shardscale::record::host::HostFacts;

    use super::*;

    #[test]
    fn a_short_queue_is_told_where_it_binds() {
        let node = HostFacts { somaxconn: Some(128), memory_bytes: Some(1 << 30), ..HostFacts::default() };
        let mut in_force = InForce { node, ..InForce::default() };
        assert_eq!(warnings(&in_force, 100), Vec::<String>::new());
        let warned = warnings(&in_force, 4608);
        assert!(warned[0].contains("is 128") && warned[0].contains("4608 ranks"), "{warned:?}");
        in_force.settings.insert("maxmemory".into(), (4u64 << 30).to_string());
        in_force.node.overcommit_memory = Some(2);
        let warned = warnings(&in_force, 1);
        assert!(warned[0].contains("overcommit_memory is 2") && warned[1].contains("maxmemory is 4 GiB"), "{warned:?}");
    }
}
