//! In place of a socket that sends files, where the system has no such call.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use crate::io::FileRange;

/// There is none.
#[derive(Debug)]
pub(super) struct Socket(Infallible);

pub(super) fn split(stream: TcpStream, _: bool) -> (ReadHalf<TcpStream>, WriteHalf<TcpStream>) {
    tokio::io::split(stream)
}

impl Socket {
    pub(super) fn cork(&self, _: bool) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn copies(&self, _: &FileRange) -> bool {
        match self.0 {}
    }

    pub(super) async fn send(&self, _: &FileRange, _: Duration) -> io::Result<()> {
        match self.0 {}
    }
}
