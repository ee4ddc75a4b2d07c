//! Where clients come in: one task a listener, which lets in as many as there may be.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::security::Access;
use super::service::Service;
use super::socket;
use super::stop::told_to_stop;
use crate::config::{Listener, ServerConfig};
use crate::error::{Error, Result};
use crate::store::Store;

/// A listener that is bound.
#[derive(Debug)]
pub(super) struct Acceptor {
    socket: TcpListener,
    name: String,
    bound: SocketAddr,
    access: Access,
    /// None if that is the address that a client has come to.
    advertised_host: Option<String>,
    advertised_port: u16,
}

impl Acceptor {
    /// # Errors
    ///
    /// [`Error::Io`] if the address can't be had, and those of [`Access::new`].
    pub(super) async fn bind(listener: &Listener, config: &ServerConfig, store: &Store) -> Result<Self> {
        let access = Access::new(listener, config, store)?;
        let cannot = |source| Error::io("listen on", listener.to_string(), source);
        // As in Java, where the address that stands for all of IPv4 stands for all.
        let is_everywhere = |host: &str| host.parse().is_ok_and(|ip: IpAddr| ip.is_unspecified());
        let socket = match &*listener.host {
            host if host.is_empty() || is_everywhere(host) => bind_everywhere(listener.port).await,
            host => TcpListener::bind((host, listener.port)).await,
        };
        let socket = socket.map_err(cannot)?;
        let bound = socket.local_addr().map_err(cannot)?;
        let host = (!bound.ip().is_unspecified()).then(|| bound.ip().to_canonical().to_string());
        let (advertised_host, advertised_port) =
            advertised(listener, config, bound.port()).unwrap_or((host, bound.port()));
        tracing::info!(listener = %listener, %bound, "listening");
        Ok(Self { socket, name: listener.name.clone(), bound, access, advertised_host, advertised_port })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.bound
    }

    /// Where clients find it: on this machine, where it has no address of its own.
    pub(super) fn bootstrap_server(&self) -> String {
        let host = self.advertised_host.clone().unwrap_or_else(|| host_of(self.bound.ip().to_canonical()));
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("{host}:{}", self.advertised_port)
    }

    /// The listener's name, and what it asks for.
    pub(super) fn access(&self) -> (String, Access) {
        (self.name.clone(), self.access.clone())
    }

    /// Lets clients in until the server stops.
    pub(super) async fn accept(self, service: Service) {
        let mut stop = service.stop.clone();
        let mut told: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = told_to_stop(&mut stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => {
                    // IPv4 comes as ::ffff:1.2.3.4 to a socket of both kinds, and is the same client as elsewhere.
                    let peer = peer.ip().to_canonical();
                    let Some(slot) = service.limits.admit(peer) else {
                        service.node.metrics.connection_rejected();
                        tracing::warn!(%peer, "too many connections from there (max.connections.per.ip)");
                        continue;
                    };
                    // Not before somebody comes: listeners that nobody comes to must not take it from others.
                    let one_of_all = tokio::select! {
                        one_of_all = service.limits.one_more() => one_of_all,
                        () = told_to_stop(&mut stop) => return,
                    };
                    self.serve(&service, stream, peer, (slot, one_of_all));
                }
                // Too many open files, or the client has gone: let others get on, and look again.
                Err(error) => {
                    if told.is_none_or(|told| told.elapsed() >= TOLD_INTERVAL) {
                        tracing::warn!(error = &error as &dyn std::error::Error, "connections can't be accepted");
                        told = Some(Instant::now());
                    }
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    fn serve(&self, service: &Service, stream: TcpStream, peer: IpAddr, slot: impl Send + 'static) {
        // Responses are written whole. A connection that is gone already ends by itself.
        let _ = stream.set_nodelay(true);
        let came_to = || stream.local_addr().unwrap_or(self.bound);
        let advertised_host = self.advertised_host.clone().unwrap_or_else(|| came_to().ip().to_canonical().to_string());
        let advertised = (advertised_host, self.advertised_port);
        let (access, client_host) = (self.access.clone(), format!("/{peer}"));
        let sendfile_to_local = service.node.config.sendfile_to_local_clients;
        let split = move |stream| socket::split(stream, sendfile_to_local);
        service.serve(stream, split, access, client_host, advertised, slot);
    }
}

/// Where clients on this machine find a listener: every address of the machine is none to connect to.
pub(super) fn host_of(ip: IpAddr) -> String {
    if ip.is_unspecified() { "localhost".to_owned() } else { ip.to_string() }
}

/// How often it is told that nobody can be let in.
const TOLD_INTERVAL: Duration = Duration::from_secs(1);

/// How many clients may wait to be let in, as tokio has it.
const BACKLOG: u32 = 1024;

/// Listens at every address of the machine: those of IPv6 and of IPv4, or of IPv4 alone where there are no others.
async fn bind_everywhere(port: u16) -> io::Result<TcpListener> {
    match bind_both(port) {
        // It is taken, and no less so for one of the two.
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        bound => bound,
    }
}

fn bind_both(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    // As tokio does it for sockets that it makes itself. On Windows this would let somebody else take the port over.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket::take_ipv4_too(&socket)?;
    socket.bind((Ipv6Addr::UNSPECIFIED, port).into())?;
    socket.listen(BACKLOG)
}

/// Where clients of a listener are told to connect to, if that is configured. Without a host it is the one that a
/// client has come to, with port 0 the one that the listener got.
pub(super) fn advertised(listener: &Listener, config: &ServerConfig, bound_port: u16) -> Option<(Option<String>, u16)> {
    let Listener { name: _, host, port } =
        config.advertised_listeners.iter().find(|advertised| advertised.name == listener.name)?;
    let host = (!host.is_empty()).then(|| host.clone());
    Some((host, if *port == 0 { bound_port } else { *port }))
}
