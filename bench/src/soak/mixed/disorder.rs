//! What happens to a server meanwhile.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use nebula_integration_tests::MovingAlias;
use tokio::runtime::Runtime;

use crate::redis_server::RedisServer;

/// How long the store and Redis are away, and there again.
const PHASE: Duration = Duration::from_secs(2);

/// How often the alias moves in each round.
const MOVES: u32 = 10;

/// Redis keeps what it has acknowledged when it is killed.
const DURABLE: [&str; 6] = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"];

pub(super) struct Disorder {
    folder: PathBuf,
    redis: SocketAddr,
}

impl Disorder {
    pub(super) fn prepare(folder: &Path) -> Result<Self> {
        let redis = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        Ok(Self { folder: folder.to_owned(), redis })
    }

    /// The address of Redis.
    pub(super) fn redis(&self) -> SocketAddr {
        self.redis
    }

    /// Moves the alias, takes the store away and gives it back, and kills Redis, in rounds. Returns how often anything
    /// happened. At the end, all is there.
    pub(super) fn run(&self, tokio: &Runtime, mut alias: MovingAlias, time: Duration) -> Result<u64> {
        let (until, mut events) = (Instant::now() + time, 0);
        let (store, away) = (self.folder.join("store"), self.folder.join("store-away"));
        let mut redis = Some(self.start()?);
        while Instant::now() < until {
            for _ in 0..MOVES {
                tokio.block_on(alias.advance());
                sleep(PHASE / MOVES);
            }
            fs::rename(&store, &away).context("failed to take the store away")?;
            sleep(PHASE);
            fs::rename(&away, &store).context("failed to give the store back")?;
            sleep(PHASE);
            drop(redis.take());
            sleep(PHASE);
            redis = Some(self.start()?);
            sleep(PHASE);
            events += u64::from(MOVES) + 2;
        }
        Ok(events)
    }

    fn start(&self) -> Result<RedisServer> {
        RedisServer::start_at(self.redis, &self.folder, &DURABLE)
    }
}
