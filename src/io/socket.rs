//! What files are sent to: the calls for a TCP socket that neither the standard library nor a runtime has.

use std::io;
use std::os::fd::AsFd;

use rustix::net::{Shutdown, shutdown, sockopt};

/// Holds back packets that are not full, or lets them go.
pub(crate) fn cork(socket: impl AsFd, is_corked: bool) -> io::Result<()> {
    Ok(sockopt::set_tcp_cork(socket, is_corked)?)
}

/// Lets a socket of IPv6 that will listen at every address do so for IPv4 too, whatever the system's default
/// (`net.ipv6.bindv6only`).
pub(crate) fn take_ipv4_too(socket: impl AsFd) -> io::Result<()> {
    Ok(sockopt::set_ipv6_v6only(socket, false)?)
}

/// Tells the other side that nothing more comes.
pub(crate) fn shutdown_writing(socket: impl AsFd) -> io::Result<()> {
    Ok(shutdown(socket, Shutdown::Write)?)
}
