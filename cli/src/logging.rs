//! What a running node writes to standard error.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use mangrove_config::log::{Filter, Format, Log};
use mangrove_config::setting::Text;
use mangrove_node::diagnostics::LogFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry, reload};

use crate::exit::Kind;
use crate::failure::Failure;
use crate::session::Session;

/// What others say that is of no use to whoever runs a node, unless it is asked for by name.
const OTHERS: &str = "actix_server=warn,actix_http=warn,libp2p=warn,hickory_proto=off";

/// Lines that wait to be written. When whoever reads them is slower than that, more are dropped, since nothing
/// that a node does waits for its log.
const MOST_LINES: usize = 16_384;

/// What writes the log. Dropped, it writes what waits.
pub(crate) struct Writing {
    dropped: ErrorCounter,
    guard: WorkerGuard,
}

/// Logs from now on, and says how to change what is logged.
pub(crate) fn start(settings: &Log, session: &Session) -> Result<(LogFilter, Writing), Failure> {
    let filter = settings.filter.raised(usize::from(session.verbose));
    let failed = |why: String| Failure::new(Kind::Internal, "cannot log").because(why);
    let (layer, handle) = reload::Layer::new(directives(&filter).map_err(failed)?);
    let builder = NonBlockingBuilder::default().thread_name("log").lossy(true);
    let (writer, guard) = builder.buffered_lines_limit(MOST_LINES).finish(io::stderr());
    let writing = Writing { dropped: writer.error_counter(), guard };
    let lines = match settings.format {
        Format::Text => {
            let ansi = session.uses_color && io::stderr().is_terminal();
            fmt::layer().with_writer(writer).with_ansi(ansi).boxed()
        }
        Format::Json => fmt::layer().json().with_writer(writer).boxed(),
    };
    let started = registry().with(lines.with_filter(layer)).try_init();
    started.map_err(|why| failed(why.to_string()))?;
    let filter: LogFilter = Arc::new(move |text| {
        let hint = |hint: Option<String>| hint.map(|hint| format!(": {hint}")).unwrap_or_default();
        let filter = Filter::parse(text).map_err(|it| format!("{}{}", it.why, hint(it.hint)))?;
        handle.reload(directives(&filter)?).map_err(|why| why.to_string())
    });
    Ok((filter, writing))
}

impl Writing {
    /// Writes what waits, and how many lines were dropped, if any were.
    pub(crate) fn end(self) {
        let dropped = self.dropped.dropped_lines();
        if dropped > 0 {
            tracing::warn!(
                dropped,
                "lines of the log were dropped: they were not read fast enough"
            );
        }
        drop(self.guard);
    }
}

fn directives(filter: &Filter) -> Result<EnvFilter, String> {
    EnvFilter::try_new(format!("{OTHERS},{}", filter.as_str())).map_err(|why| why.to_string())
}
