//! Calls of pure functions, whose results are kept.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use wasmtime::Val;

use super::{
    super::{
        cloudevents, methods,
        results::{Answer, Computation, Key, Results, Turn},
    },
    Core, Instance,
    function::Function,
    run::Run,
    validation::{Validation, response},
    values,
};
use crate::{
    call::{Caller, ErrorKind, Invocation, InvokeError, ReportHandle, Resolved, Response, Start},
    engine::{TimeLimit, supervise},
    guest::{Call, Deployment},
};

/// A call whose result is not kept yet.
struct Compute<'a> {
    core: &'a Core,
    deployment: &'a Deployment,
    function: &'a Function,
    values: Vec<Val>,
    bytes_in: u64,
    caller: Caller,
    report: ReportHandle,
}

impl Core {
    /// The answer to a call, if the function is pure, and its result is kept. It is given at once: before admission, without
    /// an instance, and on this thread.
    pub(crate) fn known_answer(&self, invocation: &Invocation, deployment: &Deployment) -> Option<Response> {
        let (Instance::Pure(_), Some(results)) = (&self.instance, &deployment.results) else { return None };
        let (event, resolved) = (&invocation.event, &deployment.resolved);
        let is_unwrapped = resolved.config.cloudevents && cloudevents::is_structured(event);
        if is_unwrapped || methods::instead_of_call(invocation).is_some() {
            return None;
        }
        let function = self.function(&invocation.function, &resolved.config).ok()?;
        let (values, bytes_in) = values::params_at_once(function, event, resolved.limits.max_request.as_u64())?;
        let answer = results.get(&key(resolved, function, &values))?;
        Some(known(answer, bytes_in, Validation::of(event), &invocation.report))
    }

    /// Calls a pure function whose result may be kept, or computed by another call.
    pub(super) async fn call_pure(self: Arc<Self>, results: Arc<Results>, call: Call) -> Result<Response, InvokeError> {
        let Call { invocation, deployment, began, guards, .. } = call;
        let Invocation { function: reference, event, id, trace, deadline, report, stderr, .. } = invocation;
        let caller = Caller { id, trace, deadline, report: report.clone(), stderr };
        let _guards = guards;
        let (resolved, validation) = (&deployment.resolved, Validation::of(&event));
        let function = self.function(&reference, &resolved.config)?;
        let (values, bytes_in) = values::params(function, event, resolved.limits.max_request.as_u64()).await?;
        let key = key(resolved, function, &values);
        let asked = Instant::now();
        let turn = in_time(results.turn(&key), deployment.time_limit(&caller), began).await?;
        let waited = asked.elapsed();
        report.update(|report| report.queued += waited);
        match turn {
            Turn::Known(answer) => Ok(known(answer, bytes_in, validation, &report)),
            Turn::Failed(error) => Err(error),
            Turn::Own(computation) => {
                let (core, deployment) = (&*self, &*deployment);
                let run = Compute { core, deployment, function, values, bytes_in, caller, report: report.clone() };
                let answer = run.compute(began + waited, computation).await?;
                Ok(response(answer, validation, report))
            }
        }
    }
}

/// Waits for a turn, for as long as a call may take that began at `began`.
async fn in_time<'a>(
    turn: impl Future<Output = Turn<'a>>,
    time_limit: TimeLimit,
    began: Instant,
) -> Result<Turn<'a>, InvokeError> {
    match time_limit.due(began) {
        Some(due) => timeout_at(due, turn).await.map_err(|_| time_limit.failure(began)),
        None => Ok(turn.await),
    }
}

impl Compute<'_> {
    /// Runs the guest, and gives its result to all calls that wait for it.
    async fn compute(self, began: Instant, computation: Computation<'_>) -> Result<Answer, InvokeError> {
        let Self { core, deployment, function, mut values, bytes_in, caller, report } = self;
        let Instance::Pure(pre) = &core.instance else { return Err(not_pure()) };
        let time_limit = deployment.time_limit(&caller);
        let mut run = Run {
            engine: &core.engine,
            initialize: core.initialize.as_ref(),
            function,
            values: &mut values,
            began,
            report: &report,
            bytes_in,
            memory: deployment.resolved.limits.memory,
            is_repeatable: true,
        };
        let guest = Box::pin(run.pure(pre, caller));
        let ran = supervise(guest, began, time_limit, report.clone()).explained_by(&deployment.symbols).await;
        let is_repeatable = run.is_repeatable;
        match ran.and_then(|()| values::response_body(function, &values)) {
            Ok(body) if is_repeatable => {
                let answer = Answer::new(body);
                computation.keep(answer.clone());
                Ok(answer)
            }
            // Without a tag, as the next result may be another one. The next call that waits computes its own.
            Ok(body) => Ok(Answer { body, tag: None }),
            Err(error) => {
                if is_repeatable && matches!(error.kind(), ErrorKind::GuestFault | ErrorKind::LimitExceeded) {
                    computation.fail(&error);
                }
                Err(error)
            }
        }
    }
}

/// All that the result of a call depends on.
fn key(resolved: &Resolved, function: &Function, values: &[Val]) -> Key {
    let params = values.get(..function.params.len()).unwrap_or_default();
    Key::new(&resolved.digest, &function.name, params.iter().map(bits), resolved.limits.memory.as_u64())
}

/// The bits of a number.
fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(bits) => u64::from(*bits),
        Val::F64(bits) => *bits,
        // Functions take numbers alone.
        _ => 0,
    }
}

/// The response with a result that was kept, or that another call has computed.
fn known(answer: Answer, bytes_in: u64, validation: Option<Validation>, report: &ReportHandle) -> Response {
    report.update(|report| (report.start, report.bytes_in) = (Start::Cached, bytes_in));
    response(answer, validation, report.clone())
}

fn not_pure() -> InvokeError {
    InvokeError::new(ErrorKind::Internal, "the module imports something, so that its results cannot be kept")
}
