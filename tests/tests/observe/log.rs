//! A `tracing` layer that keeps its calls.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Opened,
    Entered,
    Exited,
    Closed,
    Event,
}

/// One call of the layer.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) what: What,
    /// The span that the call is about or in: `path#attempt` for a span of the library.
    pub(crate) span: Option<String>,
    /// The parent of a new span.
    pub(crate) parent: Option<String>,
    pub(crate) level: Level,
    pub(crate) target: String,
    pub(crate) fields: Fields,
    pub(crate) thread: ThreadId,
}

impl Entry {
    pub(crate) fn message(&self) -> &str {
        self.field("message")
    }

    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.0.get(name).map_or("", String::as_str)
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().into(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Entry>>>);

/// The name of a span, kept in its extensions.
struct Name(String);

impl Log {
    /// A subscriber that writes to this log.
    pub(crate) fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        Registry::default().with(self.clone())
    }

    /// Runs `f` with this log as the subscriber of the thread.
    pub(crate) fn during<T>(&self, f: impl FnOnce() -> T) -> T {
        tracing::subscriber::with_default(self.subscriber(), f)
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    /// The library's own events with this path.
    pub(crate) fn lines_of(&self, path: &str) -> Vec<Entry> {
        let ours =
            |entry: &Entry| entry.what == What::Event && entry.target == "taskvisor" && entry.field("path") == path;
        self.entries().into_iter().filter(ours).collect()
    }

    /// Level and message of the library's own events with this path.
    pub(crate) fn levels_of(&self, path: &str) -> Vec<(Level, String)> {
        self.lines_of(path).into_iter().map(|entry| (entry.level, entry.message().to_owned())).collect()
    }

    fn push(&self, what: What, span: Option<String>, level: Level, target: &str) {
        self.push_with(what, span, None, level, target, Fields::default());
    }

    fn push_with(
        &self,
        what: What,
        span: Option<String>,
        parent: Option<String>,
        level: Level,
        target: &str,
        fields: Fields,
    ) {
        let entry =
            Entry { what, span, parent, level, target: target.into(), fields, thread: std::thread::current().id() };
        self.0.lock().unwrap().push(entry);
    }
}

fn name_of<S: Subscriber + for<'a> LookupSpan<'a>>(id: &Id, ctx: &Context<'_, S>) -> Option<String> {
    ctx.span(id)?.extensions().get::<Name>().map(|name| name.0.clone())
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let text = |name: &str| fields.0.get(name).cloned().unwrap_or_default();
        let metadata = attributes.metadata();
        let name = match metadata.target() {
            "taskvisor" => format!("{}#{}", text("path"), text("attempt")),
            _ => metadata.name().to_owned(),
        };
        let span = ctx.span(id).unwrap();
        // Tokio has its own spans, for tokio-console.
        if !metadata.target().starts_with("tokio") {
            span.extensions_mut().insert(Name(name.clone()));
        }
        let parent = span.parent().and_then(|parent| name_of(&parent.id(), &ctx));
        self.push_with(What::Opened, Some(name), parent, *metadata.level(), metadata.target(), fields);
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = ctx.event_span(event).and_then(|span| name_of(&span.id(), &ctx));
        let metadata = event.metadata();
        self.push_with(What::Event, span, None, *metadata.level(), metadata.target(), fields);
    }

    fn on_enter(&self, id: &Id, ctx: Context<'_, S>) {
        self.push(What::Entered, name_of(id, &ctx), Level::TRACE, "");
    }

    fn on_exit(&self, id: &Id, ctx: Context<'_, S>) {
        self.push(What::Exited, name_of(id, &ctx), Level::TRACE, "");
    }

    fn on_close(&self, id: Id, ctx: Context<'_, S>) {
        self.push(What::Closed, name_of(&id, &ctx), Level::TRACE, "");
    }
}
