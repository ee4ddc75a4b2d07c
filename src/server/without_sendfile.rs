//! In place of a socket that sends files, where the system has no such call.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tokio::io::{ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};

use crate::io::FileRange;

/// There is none.
#[derive(Debug)]
pub(super) struct Socket(Infallible);

pub(super) fn split(stream: TcpStream, _: bool) -> (ReadHalf<TcpStream>, WriteHalf<TcpStream>) {
    tokio::io::split(stream)
}

/// There is no call for that here either. It is Apple's default; elsewhere there is IPv4 alone.
pub(super) fn take_ipv4_too(_: &TcpSocket) -> io::Result<()> {
    if cfg!(target_vendor = "apple") { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
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
