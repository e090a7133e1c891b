//! What a running server says of itself: INFO, settings in force, allocator, modules.
//!
//! Asked outside all timed sections, over connections of a general client library. What a server does not know or refuses
//! to tell is left out: nothing here is made up, and nothing here fails because of an access rule of the server.

use std::collections::HashMap;

use redis::{Connection, FromRedisValue, Value};
use shardscale::record::module;
use shardscale::record::store::{FIELDS, Fields, SETTINGS};

/// Allocator options that are recorded whether or not somebody asked for them: they decide what a large tensor costs.
const MALLOC_OPTIONS: &[&str] = &["dirty_decay_ms", "muzzy_decay_ms", "background_thread"];

/// The fields that are kept of INFO and, for a shard, of CLUSTER INFO.
///
/// # Errors
/// The connection failed; a server that refuses gives no fields.
pub fn fields(connection: &mut Connection) -> redis::RedisResult<Fields> {
    let mut text = told(redis::cmd("INFO").query::<String>(connection))?.unwrap_or_default();
    if value(&text, "cluster_enabled") == Some("1") {
        text.push('\n');
        text += &told(redis::cmd("CLUSTER").arg("INFO").query::<String>(connection))?.unwrap_or_default();
    }
    Ok(FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), value(&text, name)?.to_owned()))).collect())
}

/// The settings of [`SETTINGS`] that the server discloses.
///
/// # Errors
/// As [`fields`].
pub fn settings(connection: &mut Connection) -> redis::RedisResult<Fields> {
    // one command for all from Redis 7 on; earlier servers take one name at a time
    if let Some(all) = told(redis::cmd("CONFIG").arg("GET").arg(SETTINGS).query::<Fields>(connection))? {
        return Ok(all);
    }
    let mut found = Fields::new();
    for name in SETTINGS {
        found.extend(told(redis::cmd("CONFIG").arg("GET").arg(name).query::<Fields>(connection))?.unwrap_or_default());
    }
    Ok(found)
}

/// The allocator's options in force: those that bear on large tensors, and those named in `asked`.
pub fn malloc_options(connection: &mut Connection, asked: &[(String, String)]) -> redis::RedisResult<Fields> {
    let text = told(redis::cmd("MEMORY").arg("MALLOC-STATS").query::<String>(connection))?.unwrap_or_default();
    let wanted = |name: &str| MALLOC_OPTIONS.contains(&name) || asked.iter().any(|(asked, _)| asked == name);
    Ok(options_of(&text).filter(|(name, _)| wanted(name)).collect())
}

/// Loaded modules, as [`module::listed`] writes them.
pub fn modules(connection: &mut Connection) -> redis::RedisResult<Vec<String>> {
    if let Some(list) = told(redis::cmd("MODULE").arg("LIST").query::<Vec<HashMap<String, Value>>>(connection))? {
        return Ok(list.iter().map(module_of).collect());
    }
    let text = told(redis::cmd("INFO").arg("modules").query::<String>(connection))?.unwrap_or_default();
    Ok(modules_of(&text))
}

/// Whether the server offers RedisAI's tensors.
pub fn has_tensors(connection: &mut Connection) -> redis::RedisResult<bool> {
    let answer: redis::Value = redis::cmd("COMMAND").arg("INFO").arg("AI.TENSORSET").query(connection)?;
    let redis::Value::Array(entries) = answer else { return Ok(false) };
    Ok(matches!(entries.first(), Some(redis::Value::Array(entry)) if !entry.is_empty()))
}

/// The value of field `name` in a text of `name:value` lines.
pub fn value<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// A reply for a message, as a person would write it.
pub fn show(reply: &redis::Value) -> String {
    use redis::Value;
    match reply {
        Value::Nil => "nil".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::Okay => "OK".to_owned(),
        Value::SimpleString(text) => format!("{text:?}"),
        Value::BulkString(bytes) => format!("{:?}", String::from_utf8_lossy(bytes)),
        Value::Array(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        _ => "a reply of another kind".to_owned(),
    }
}

/// A server's refusal becomes nothing; what happened to the connection stays an error.
fn told<T>(answer: redis::RedisResult<T>) -> redis::RedisResult<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_io_error() || error.is_connection_dropped() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Lines such as `  opt.dirty_decay_ms: -1 (arenas.dirty_decay_ms: -1)` of the allocator's own statistics.
fn options_of(stats: &str) -> impl Iterator<Item = (String, String)> {
    stats.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix("opt.")?.split_once(": ")?;
        let value = rest.split_whitespace().next()?.trim_matches('"');
        Some((name.to_owned(), value.to_owned()))
    })
}

/// An entry of MODULE LIST: name and ver, from Redis 7 on also path and args.
fn module_of(entry: &HashMap<String, Value>) -> String {
    let text = |name: &str| entry.get(name).and_then(|value| String::from_redis_value(value.clone()).ok());
    let args =
        entry.get("args").and_then(|value| Vec::<String>::from_redis_value(value.clone()).ok()).unwrap_or_default();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let path = text("path").filter(|path| !path.is_empty());
    module::listed(&text("name").unwrap_or_default(), &text("ver").unwrap_or_default(), path.as_deref(), &args)
}

/// Lines such as `module:name=ai,ver=10207,api=1,..`.
fn modules_of(info: &str) -> Vec<String> {
    let module = |line: &str| {
        let parts: Vec<(&str, &str)> =
            line.strip_prefix("module:")?.split(',').filter_map(|part| part.split_once('=')).collect();
        let part = |wanted: &str| parts.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        Some(module::listed(part("name")?, part("ver").unwrap_or_default(), None, &[]))
    };
    info.lines().filter_map(module).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocator_options_are_found_among_its_statistics() {
        let text = "___ Begin jemalloc statistics ___\n  opt.dss: \"secondary\"\n  opt.background_thread: false (background_thread: true)\n  opt.dirty_decay_ms: -1 (arenas.dirty_decay_ms: -1)\nopt.x\n";
        let found: Vec<_> = options_of(text).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(found, [pair("dss", "secondary"), pair("background_thread", "false"), pair("dirty_decay_ms", "-1")]);
    }

    #[test]
    fn replies_are_shown_as_people_write_them() {
        use redis::Value;
        let node = Value::Array(vec![Value::BulkString(b"cn1".to_vec()), Value::Int(6780), Value::Nil]);
        assert_eq!(show(&Value::Array(vec![Value::Int(0), node])), r#"[0, ["cn1", 6780, nil]]"#);
    }

    #[test]
    fn modules_are_named_with_their_version() {
        let text = "# Modules\r\nmodule:name=ai,ver=10207,api=1,filters=0\r\nmodule:broken\r\n";
        assert_eq!(modules_of(text), ["ai 10207"]);
    }

    #[test]
    fn a_field_is_not_mistaken_for_a_longer_one() {
        let info = "# Server\r\nredis_version_extra:x\r\nredis_version:7.0.15\r\n";
        assert_eq!((value(info, "redis_version"), value(info, "valkey_version")), (Some("7.0.15"), None));
    }
}
