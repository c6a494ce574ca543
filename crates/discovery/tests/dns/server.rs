//! A name server over UDP that says what the test tells it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use hickory_resolver::proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{Name, RData, Record},
};
use tokio::net::UdpSocket;

#[derive(Default)]
struct State {
    records: HashMap<Name, Vec<Record>>,
    failure: Option<ResponseCode>,
    asked: usize,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
        let (address, state) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(State::default())));
        tokio::spawn(serve(socket, Arc::clone(&state)));
        Self { address, state }
    }

    /// All records of a name from now on.
    pub(crate) fn say(&self, name: &str, ttl: u32, data: Vec<RData>) {
        let name: Name = name.parse().unwrap();
        let records = data.into_iter().map(|data| Record::from_rdata(name.clone(), ttl, data)).collect();
        self.state.lock().unwrap().records.insert(name, records);
    }

    /// Answers every query with this failure from now on, or with records again.
    pub(crate) fn fail(&self, failure: Option<ResponseCode>) {
        self.state.lock().unwrap().failure = failure;
    }

    /// How many queries it has seen.
    pub(crate) fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }
}

async fn serve(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut packet = [0; 4096];
    loop {
        let (length, peer) = socket.recv_from(&mut packet).await.unwrap();
        let answer = state.lock().unwrap().answer(&Message::from_vec(&packet[..length]).unwrap());
        socket.send_to(&answer.to_vec().unwrap(), peer).await.unwrap();
    }
}

impl State {
    fn answer(&mut self, question: &Message) -> Message {
        self.asked += 1;
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        let query = question.queries[0].clone();
        answer.metadata.recursion_available = true;
        answer.metadata.response_code = self.failure.unwrap_or(ResponseCode::NoError);
        if self.failure.is_none() {
            match self.records.get(&query.name) {
                Some(records) => {
                    let asked_for = records.iter().filter(|record| record.record_type() == query.query_type);
                    answer.add_answers(asked_for.cloned());
                }
                None => answer.metadata.response_code = ResponseCode::NXDomain,
            }
        }
        answer.add_query(query);
        answer
    }
}
