//! Makes components in the text format, and calls them.

use crate::{
    call::{Event, Invocation, InvokeError, Invoker as _},
    function::{FunctionName, FunctionRef, RegistryError},
    runtime::Runtime,
    store::Store,
};

/// A runtime in which this component is published under this name.
pub(super) async fn runtime_with(name: &str, component: &str) -> Result<Runtime, RegistryError> {
    let runtime = Runtime::builder(Store::memory()).concurrency(2).build().unwrap();
    let wat = component.to_owned();
    runtime.publish(&name.parse().unwrap(), wat).await?;
    Ok(runtime)
}

/// A component whose function `same` returns its parameter: a value of the type `ty`, which uses the definitions
/// `types`, and 17 numbers. The canonical ABI passes so many values by a pointer and not one by one. So parameter and
/// result are pointers to the same layout, and the function's code is the same for each type.
pub(super) fn identity(types: &str, ty: &str) -> String {
    format!(
        r#"(component
            (core module $m
                (memory (export "memory") 1)
                (global $next (mut i32) (i32.const 1024))
                (func (export "realloc") (param $old i32) (param i32) (param $align i32) (param $size i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and
                        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
                        (i32.sub (i32.const 0) (local.get $align))))
                    (global.set $next (i32.add (local.get $at) (local.get $size)))
                    (if (i32.gt_u (global.get $next) (i32.mul (memory.size) (i32.const 65536)))
                        (then (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))))
                    (local.get $at))
                (func (export "same") (param i32) (result i32) (local.get 0)))
            (core instance $i (instantiate $m))
            {types}
            (type $padded (tuple {ty} (tuple {padding})))
            (func (export "same") (param "v" $padded) (result $padded)
                (canon lift (core func $i "same") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#,
        padding = "u8 ".repeat(17),
    )
}

/// Calls the function of [`identity`] with a value, and returns its result.
pub(super) async fn same(runtime: &Runtime, value: &str) -> Result<String, InvokeError> {
    const PADDING: &str = ",[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]]";

    let event = Event::json(format!("[{value}{PADDING}"));
    let function: FunctionName = "same".parse().unwrap();
    let response = runtime.invoke(Invocation::new(function, event)).await?;
    let body = String::from_utf8(response.body.collect(1 << 20).await?.into()).unwrap();
    Ok(body.strip_prefix('[').unwrap().strip_suffix(PADDING).unwrap().to_owned())
}

/// The response's body; or the error's kind and detail, and the error that the function returned.
pub(super) async fn call(runtime: &Runtime, function: &str, body: &str) -> String {
    let function: FunctionRef = function.parse().unwrap();
    match runtime.invoke(Invocation::new(function, Event::json(body.to_owned()))).await {
        Ok(response) => String::from_utf8(response.body.collect(1 << 20).await.unwrap().into()).unwrap(),
        Err(error) => {
            let returned = error.guest_error().map(|returned| format!(" {returned}")).unwrap_or_default();
            format!("{}: {error}{returned}", error.kind())
        }
    }
}
