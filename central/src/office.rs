//! The wiring: what is started in which order, and what ends it. Invariant: a port that is taken or a folder that cannot
//! be written is said before anything else starts.

use crate::api::{self, ApiState};
use crate::config::{Broker, Config, ConfigError};
use crate::domain::now_ms;
use crate::ingest::broker::{self, BrokerError};
use crate::ingest::{Collector, PasswordError};
use crate::service::{
    self, AccessLog, EvidenceError, EvidenceFolder, FaceModels, PhotographFolders, SeedError, Service,
};
use crate::store::StoreError;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use vong_models::Store as ModelStore;

/// How long connections may take to end.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
const EVIDENCE_LOOKED_AT_EVERY: Duration = Duration::from_secs(3600);

/// Why the office cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The page's address is taken or not ours.
    #[error("cannot listen on {address} for the page: {cause}; end the program that uses it or change [http] listen")]
    Http {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The store's address cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seeds are wrong.
    #[error(transparent)]
    Seeds(#[from] SeedError),
    /// The evidence folder cannot be used.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// The broker inside cannot start.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The broker's password cannot be read.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

/// A running office.
pub struct Office {
    /// Where the page is.
    pub http: SocketAddr,
    /// What it knows.
    pub service: Arc<Service>,
    stop: CancellationToken,
    log_stop: CancellationToken,
    tasks: JoinSet<()>,
    access: tokio::task::JoinHandle<()>,
}

impl Office {
    /// Starts everything; returns when the page answers.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let address = config.http.listen;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|cause| StartError::Http { address, cause })?;
        let inside = match config.broker.chosen() {
            Broker::Inside(inside) => Some(inside.listen),
            Broker::Outside(_) => None,
        };
        inside.map_or(Ok(()), broker::check_address)?;
        let evidence = EvidenceFolder::open(&config.evidence.folder)?;
        let store = config.store.address()?.open().await?;
        if let Some(seeds) = &config.seeds {
            let model = face_models(config).embedding_id();
            service::take_seeds(&*store, seeds, model.as_deref(), now_ms()).await?;
        }
        if inside.is_some() {
            // A broker elsewhere remembers the states of the devices and tells them when it is asked.
            store.forget_online(now_ms()).await?;
        }

        let (access, looks) = AccessLog::new();
        let models = face_models(config);
        let folders = PhotographFolders {
            seeds: config.seeds.clone(),
            models: models.store.root().to_path_buf(),
        };
        service::embed_photographs(&store, &folders, &models).await?;
        let service = Arc::new(Service::open(store.clone(), access, evidence, folders).await?);

        let (stop, log_stop) = (CancellationToken::new(), CancellationToken::new());
        let bundle = service::make_bundle(&store, &service.directory(), 0, now_ms()).await?;
        let collectors = Collector::of(config, &service, bundle, &stop)?;
        let access = tokio::spawn(service::write_access(store, looks, log_stop.clone()));
        let mut tasks = JoinSet::new();
        tasks.spawn(delete_old_evidence(
            service.clone(),
            config.evidence.keep_days,
            stop.clone(),
        ));
        let http = listener
            .local_addr()
            .map_err(|cause| StartError::Http { address, cause })?;
        if let Some(address) = inside {
            broker::end_process_with_it();
            broker::start(address).await?;
        }
        tasks.spawn(service.clone().follow_others(stop.clone()));
        tasks.spawn(service.clone().tell_counts(stop.clone()));
        for collector in collectors {
            tasks.spawn(collector.run());
        }
        tasks.spawn(serve(listener, service.clone(), stop.clone()));
        if !http.ip().is_loopback() {
            tracing::warn!(%http, "the page has no login yet and is open to the network; put it behind a proxy that asks for one");
        }
        tracing::info!(page = %format!("http://{http}"), "the office is open");
        Ok(Self {
            http,
            service,
            stop,
            log_stop,
            tasks,
            access,
        })
    }

    /// Stops everything and returns when what was committed is closed.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOPS_WITHIN, ended).await.is_err() {
            tracing::warn!("some connections did not end in time; they are cut");
            self.tasks.shutdown().await;
        }
        self.log_stop.cancel();
        // It ends by itself once the queue is empty; if it panicked, that was reported there.
        let _ = self.access.await;
        self.service.store().close().await;
    }
}

fn face_models(config: &Config) -> FaceModels {
    let store = config
        .models
        .store
        .clone()
        .map_or_else(ModelStore::locate, ModelStore::at);
    FaceModels {
        store,
        manifest: config.models.manifest.clone(),
        faces: config.models.faces.clone(),
        embedding: config.models.embedding.clone(),
    }
}

async fn serve(listener: TcpListener, service: Arc<Service>, stop: CancellationToken) {
    let state = ApiState {
        service,
        stop: stop.clone(),
    };
    let app = api::router(state).into_make_service_with_connect_info::<SocketAddr>();
    if let Err(cause) = axum::serve(listener, app)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
    {
        tracing::error!(%cause, "the page is not served any more");
    }
}

async fn delete_old_evidence(service: Arc<Service>, keep_days: u32, stop: CancellationToken) {
    let mut every = tokio::time::interval(EVIDENCE_LOOKED_AT_EVERY);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        match service.evidence.delete_older(service.store(), keep_days).await {
            Ok(0) => {}
            Ok(deleted) => tracing::info!(deleted, keep_days, "pictures of alerts were deleted after their time"),
            Err(cause) => {
                tracing::error!(%cause, "old pictures of alerts could not be deleted; it is tried again in an hour")
            }
        }
    }
}
