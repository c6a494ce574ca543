//! What a saga does, step by step.

use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use weft_call::{BoxFuture, Call, Error, Result};

/// A step, or what undoes it: `async fn reserve(&self, call: &Call, checkout: Checkout) -> Result<Checkout>` of the handler.
///
/// It gets the value as the step before left it and returns it as the next one is to get it. It may run more than once, and then
/// with the same idempotency key in its call: what it asks of other domains is KEYED or has a natural key.
pub trait StepFn<'a, H, D>: Send + Sync + 'static {
    /// Runs it.
    fn run(&self, handler: &'a H, call: &'a Call, data: D) -> BoxFuture<'a, Result<D>>;
}

impl<'a, H, D, F, R> StepFn<'a, H, D> for F
where
    H: 'a,
    F: Fn(&'a H, &'a Call, D) -> R + Send + Sync + 'static,
    R: Future<Output = Result<D>> + Send + 'a,
{
    fn run(&self, handler: &'a H, call: &'a Call, data: D) -> BoxFuture<'a, Result<D>> {
        Box::pin(self(handler, call, data))
    }
}

/// A step over JSON, of a handler that is known when it runs.
pub(crate) type Work<H> = Arc<dyn for<'a> Fn(&'a H, &'a Call, &'a str) -> BoxFuture<'a, Result<String>> + Send + Sync>;

/// One step.
pub(crate) struct Step<H> {
    pub(crate) name: &'static str,
    pub(crate) work: Work<H>,
    /// `None` where nothing has to be undone.
    pub(crate) undo: Option<Work<H>>,
}

/// The steps of a saga over a value `D`, for a handler `H`.
pub struct Definition<H, D> {
    pub(crate) name: &'static str,
    pub(crate) steps: Vec<Step<H>>,
    value: std::marker::PhantomData<fn() -> D>,
}

impl<H: Send + Sync + 'static, D: Serialize + DeserializeOwned + Send + 'static> Definition<H, D> {
    /// A saga without steps. The name stands in the database: it never changes.
    pub const fn new(name: &'static str) -> Self {
        Self { name, steps: Vec::new(), value: std::marker::PhantomData }
    }

    /// With a step, and what undoes it. Names stand in idempotency keys, and the order in the database: while sagas run, steps
    /// are added at the end alone.
    #[must_use]
    pub fn step(mut self, name: &'static str, work: impl for<'a> StepFn<'a, H, D>, undo: impl for<'a> StepFn<'a, H, D>) -> Self {
        self.steps.push(Step { name, work: typed(work), undo: Some(typed(undo)) });
        self
    }

    /// With a step that leaves nothing to undo: a last one, or one that only looks.
    #[must_use]
    pub fn last_step(mut self, name: &'static str, work: impl for<'a> StepFn<'a, H, D>) -> Self {
        self.steps.push(Step { name, work: typed(work), undo: None });
        self
    }
}

fn typed<H: Send + Sync + 'static, D: Serialize + DeserializeOwned + Send + 'static>(
    step: impl for<'a> StepFn<'a, H, D>,
) -> Work<H> {
    let step = Arc::new(step);
    Arc::new(move |handler, call, data| {
        let step = Arc::clone(&step);
        Box::pin(async move {
            let data = serde_json::from_str(data).map_err(Error::internal)?;
            let data = step.run(handler, call, data).await?;
            serde_json::to_string(&data).map_err(Error::internal)
        })
    })
}

impl<H, D> fmt::Debug for Definition<H, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let steps: Vec<_> = self.steps.iter().map(|step| step.name).collect();
        f.debug_struct("Definition").field("name", &self.name).field("steps", &steps).finish()
    }
}
