//! The generated client, straight on the generated server, with no wire between them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use weft_call::{
    Answer, BoxFuture, Call, CallBuilder, Client, Clock, Declares, Error, IdempotencyKey, MeshReason, MethodContract, NoReplays,
    Payload, Reason, Replays, Reply, Result, Serves, Service, Streaming, Upstream,
};
use weft_codegen_fixture::{
    authors::AuthorsContract,
    library::{
        AddBookRequest, Book, GetBookRequest, ImportBooksResponse, LendingLibraryContract, Library, LibraryClient, LibraryReason,
        Remark, Rules, Texts,
    },
};

/// Counts the books that were added.
#[derive(Default)]
struct Shelf {
    added: AtomicUsize,
}

impl Library for Shelf {
    async fn add_book(&self, _: &Call, request: AddBookRequest) -> Result<Reply<Book>> {
        self.added.fetch_add(1, Ordering::SeqCst);
        Ok(Reply::created(request.book.unwrap_or_default(), "/v1/books/1"))
    }

    async fn get_book(&self, _: &Call, request: GetBookRequest) -> Result<Reply<Book>> {
        Err(Error::new(LibraryReason::BookNotFound, format!("no book is called {}", request.title)))
    }

    async fn remove_book(&self, _: &Call, _: GetBookRequest) -> Result<Reply<()>> {
        Ok(().into())
    }

    async fn check_rules(&self, _: &Call, _: Rules) -> Result<Reply<()>> {
        Ok(().into())
    }

    async fn watch_books(&self, _: &Call, (): ()) -> Result<Reply<Streaming<Book>>> {
        let books = ["Emma", "Ivanhoe"].map(|title| Ok(Book { title: title.to_owned(), ..Book::default() }));
        let books: Streaming<Book> = Box::pin(stream::iter(books));
        Ok(books.into())
    }

    async fn import_books(&self, _: &Call, requests: Streaming<AddBookRequest>) -> Result<Reply<ImportBooksResponse>> {
        let added = requests.try_fold(0, |added, _| async move { Ok(added + 1) }).await?;
        Ok(ImportBooksResponse { added }.into())
    }

    async fn r#match(&self, _: &Call, remarks: Streaming<Remark>) -> Result<Reply<Streaming<Remark>>> {
        let answers = remarks.map_ok(|remark| Remark { text: remark.text.to_uppercase() });
        let answers: Streaming<Remark> = Box::pin(answers);
        Ok(answers.into())
    }
}

/// What a server and its store are to a client, without the wire.
struct Direct<R> {
    service: Arc<dyn Service>,
    replays: R,
}

impl<R: Replays + 'static> Upstream for Direct<R> {
    fn call<'a>(
        &'a self,
        call: &'a Call,
        method: &'static MethodContract,
        request: Payload,
    ) -> BoxFuture<'a, Result<Reply<Payload>>> {
        self.service.handle(method, call.clone(), request, &self.replays)
    }
}

/// Answers every key as it was told to, and keeps the digests that it was asked with.
#[derive(Clone, Default)]
struct Told {
    answer: Option<Bytes>,
    digests: Arc<Mutex<Vec<String>>>,
}

impl Replays for Told {
    fn find<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<Option<Bytes>>> {
        self.digests.lock().unwrap().push(call.digest().expect("a keyed call has a digest").to_string());
        Box::pin(async { Ok(self.answer.clone()) })
    }
}

fn client(shelf: &Arc<Shelf>, replays: impl Replays + 'static) -> LibraryClient {
    let service = LendingLibraryContract::service(Arc::clone(shelf));
    LibraryClient::over(Arc::new(Direct { service, replays }))
}

fn call() -> Call {
    CallBuilder::new(Clock::system()).build()
}

fn keyed_call() -> Call {
    let mut parts = CallBuilder::new(Clock::system());
    parts.idempotency_key = IdempotencyKey::parse("key-1").ok();
    parts.build()
}

fn add(title: &str) -> AddBookRequest {
    AddBookRequest { book: Some(Book { title: title.to_owned(), ..Book::default() }) }
}

#[tokio::test]
async fn a_unary_call_reaches_its_handler_and_its_answer_comes_back() {
    let shelf = Arc::<Shelf>::default();
    let client = client(&shelf, NoReplays);
    let reply = client.add_book(&call(), add("Emma")).await.unwrap();
    assert_eq!((reply.message.title.as_str(), reply.status), ("Emma", Some(201)));
    assert_eq!(reply.headers["location"], "/v1/books/1");
    client.remove_book(&call(), GetBookRequest::default()).await.unwrap();
    assert_eq!(shelf.added.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_error_keeps_its_reason() {
    let client = client(&Arc::default(), NoReplays);
    let error = client.get_book(&call(), GetBookRequest { title: "Emma".to_owned() }).await.unwrap_err();
    assert_eq!(error.reason(), Some(LibraryReason::BookNotFound));
    assert_eq!(error.code(), LibraryReason::BookNotFound.code());
}

#[tokio::test]
async fn an_invalid_request_does_not_reach_its_handler() {
    let shelf = Arc::<Shelf>::default();
    let client = client(&shelf, NoReplays);
    let error = client.add_book(&call(), add("")).await.unwrap_err();
    assert_eq!(error.reason(), Some(MeshReason::ValidationFailed));
    assert_eq!(error.violations()[0].field, "book.title");
    assert_eq!(shelf.added.load(Ordering::SeqCst), 0);
    let rules = Rules { texts: Some(Texts::default()), ..Rules::default() };
    assert!(client.check_rules(&call(), rules).await.unwrap_err().violations().len() > 10);
}

#[tokio::test]
async fn a_repeated_key_gets_the_stored_answer_and_does_no_work() {
    let shelf = Arc::<Shelf>::default();
    let book = Book { title: "stored".to_owned(), ..Book::default() };
    let answer = Reply::created(book, "/v1/books/stored").to_bytes();
    let told = Told { answer: Some(answer.into()), ..Told::default() };
    let client = client(&shelf, told.clone());
    let reply = client.add_book(&keyed_call(), add("Emma")).await.unwrap();
    assert_eq!((reply.message.title.as_str(), reply.status), ("stored", Some(201)));
    assert_eq!(reply.headers["location"], "/v1/books/stored");
    assert_eq!(shelf.added.load(Ordering::SeqCst), 0);
    client.add_book(&keyed_call(), add("Emma")).await.unwrap();
    client.add_book(&keyed_call(), add("Ivanhoe")).await.unwrap();
    let digests = told.digests.lock().unwrap();
    assert!(digests[0] == digests[1] && digests[1] != digests[2]);
}

#[tokio::test]
async fn only_keyed_methods_with_a_key_are_looked_up() {
    let shelf = Arc::<Shelf>::default();
    let told = Told::default();
    let client = client(&shelf, told.clone());
    client.add_book(&call(), add("Emma")).await.unwrap();
    client.remove_book(&keyed_call(), GetBookRequest::default()).await.unwrap();
    assert!(told.digests.lock().unwrap().is_empty());
    client.add_book(&keyed_call(), add("Emma")).await.unwrap();
    assert_eq!((told.digests.lock().unwrap().len(), shelf.added.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn all_kinds_of_streams_pass() {
    let client = client(&Arc::default(), NoReplays);
    let books = client.watch_books(&call(), ()).await.unwrap().into_message();
    let titles: Vec<_> = books.map_ok(|book| book.title).try_collect().await.unwrap();
    assert_eq!(titles, ["Emma", "Ivanhoe"]);
    let requests = Box::pin(stream::iter([Ok(add("Emma")), Ok(add("Ivanhoe"))]));
    assert_eq!(client.import_books(&call(), requests).await.unwrap().message.added, 2);
    let remarks = ["fine", "quite so"].map(|text| Ok(Remark { text: text.to_owned() }));
    let answers = client.r#match(&call(), Box::pin(stream::iter(remarks))).await.unwrap().into_message();
    let answers: Vec<_> = answers.map_ok(|remark| remark.text).try_collect().await.unwrap();
    assert_eq!(answers, ["FINE", "QUITE SO"]);
}

#[tokio::test]
async fn a_stream_ends_at_its_first_invalid_message() {
    let client = client(&Arc::default(), NoReplays);
    let remarks = ["fine", "much too long"].map(|text| Ok(Remark { text: text.to_owned() }));
    let mut answers = client.r#match(&call(), Box::pin(stream::iter(remarks))).await.unwrap().into_message();
    assert_eq!(answers.next().await.unwrap().unwrap().text, "FINE");
    assert_eq!(answers.next().await.unwrap().unwrap_err().reason(), Some(MeshReason::ValidationFailed));
    let requests = Box::pin(stream::iter([Ok(add("Emma")), Ok(add(""))]));
    assert!(client.import_books(&call(), requests).await.is_err());
}

#[tokio::test]
async fn a_method_of_another_service_is_unknown() {
    let service = LendingLibraryContract::service(Arc::<Shelf>::default());
    let foreign = &AuthorsContract::CONTRACT.services[0].methods[0];
    let answer = service.handle(foreign, call(), Payload::Message(Bytes::new()), &NoReplays).await;
    assert_eq!(answer.unwrap_err().reason(), Some(MeshReason::MethodUnknown));
}

#[test]
fn a_client_is_cloned_shared_and_printed_without_its_upstream() {
    fn is_send<T: Clone + Send + Sync + 'static>(value: &T) -> T {
        value.clone()
    }
    let client = client(&Arc::default(), NoReplays);
    assert_eq!(format!("{:?}", is_send(&client)), "LibraryClient");
}
