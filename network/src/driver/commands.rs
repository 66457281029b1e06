//! Orders, carried out.

use super::Driver;
use crate::command::Command;

impl Driver {
    pub(super) fn obey(&mut self, command: Command) {
        let now_ms = self.now_ms();
        match command {
            Command::Publish { topic, bytes } => self.publish(topic, bytes),
            Command::Join { topic, reply } => {
                let joined = self.join(topic);
                reply.send(joined).ok();
            }
            Command::Leave { topic } => self.leave(topic),
            Command::Learn { peer, addresses, source } => {
                for address in addresses {
                    self.peers.learn(peer, address, source, now_ms);
                }
                self.dial();
            }
            Command::Want { peer, why } => {
                self.peers.want(peer, why, now_ms);
                self.dial();
            }
            Command::Unwant { peer, why } => self.peers.unwant(peer, why),
            Command::Connect { address, reply } => self.visit(address, reply),
            Command::Open { call } => self.call(call),
            Command::Ban { peer, reply } => {
                drop(self.peers.ban(peer));
                self.close(peer);
                self.keeper.bans(self.peers.banned().collect(), reply);
            }
            Command::Unban { peer, reply } => {
                let was_banned = self.peers.unban(peer);
                self.mind_the_door();
                let (written, _) = tokio::sync::oneshot::channel();
                self.keeper.bans(self.peers.banned().collect(), written);
                reply.send(was_banned).ok();
            }
            Command::TurnAway { peer } => self.turn_away(peer),
            Command::Overview { reply } => drop(reply.send(self.overview())),
        }
    }
}
