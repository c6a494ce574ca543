//! A process dies before, within and after each step, on the way there and on the way back.

use std::sync::atomic::Ordering;

use weft_saga::State;

use crate::given::{House, STEPS, Trouble, on_both, until};

on_both!(
    a_crash_at_any_step_leaves_each_effect_once,
    a_crash_while_undoing_leaves_each_effect_once,
    of_two_processes_one_conducts,
    a_saga_whose_transaction_fails_was_never_begun,
    who_stops_leaves_the_rest_to_another,
);

async fn a_crash_at_any_step_leaves_each_effect_once(house: House) {
    for step in STEPS {
        for trouble in [Trouble::HangsBefore, Trouble::HangsAfter] {
            let before = house.effects().await.len();
            house.shop.struck.store(0, Ordering::SeqCst);
            house.shop.at(step, trouble);
            let dying = house.process();
            let id = house.begin().await;
            until("it hangs in the step", async || house.shop.struck.load(Ordering::SeqCst) > 0).await;
            if trouble == Trouble::HangsAfter {
                until("its effect is there", async || house.effects().await.last().is_some_and(|last| last == step)).await;
            }
            dying.crash().await;
            house.shop.mend();
            let next = house.process();
            let saga = house.ended(id).await;
            assert_eq!((saga.state(), saga.position), (State::Done, 3), "{step} {trouble:?}");
            assert_eq!(house.effects().await[before..], STEPS, "{step} {trouble:?}");
            next.stop().await;
        }
    }
}

async fn a_crash_while_undoing_leaves_each_effect_once(house: House) {
    for step in ["undo-reserve", "undo-capture"] {
        for trouble in [Trouble::HangsBefore, Trouble::HangsAfter] {
            let before = house.effects().await.len();
            house.shop.struck.store(0, Ordering::SeqCst);
            house.shop.at("confirm", Trouble::Refused);
            let dying = house.process();
            let id = house.begin().await;
            // The refusal turns it around; from then on the trouble is elsewhere.
            until("it is refused", async || house.shop.struck.load(Ordering::SeqCst) > 0).await;
            house.shop.at(step, trouble);
            until("it hangs while undoing, or is done with that", async || {
                house.shop.struck.load(Ordering::SeqCst) > 1 || house.saga(id).await.state() == State::Undone
            })
            .await;
            dying.crash().await;
            house.shop.mend();
            let next = house.process();
            assert_eq!(house.ended(id).await.state(), State::Undone);
            assert_eq!(house.effects().await[before..], ["reserve", "capture", "undo-capture", "undo-reserve"]);
            next.stop().await;
        }
    }
}

async fn of_two_processes_one_conducts(house: House) {
    let processes = [house.process(), house.process()];
    let mut begun = Vec::new();
    for _ in 0..10 {
        begun.push(house.begin().await);
    }
    for id in begun {
        assert_eq!(house.ended(id).await.state(), State::Done);
    }
    assert_eq!(house.effects().await.len(), 10 * STEPS.len());
    for process in processes {
        process.stop().await;
    }
}

async fn a_saga_whose_transaction_fails_was_never_begun(house: House) {
    let process = house.process();
    let fails = async |tx: weft_store::Tx| -> weft_call::Result<()> {
        house.sagas.begin(&tx, "checkout", &crate::given::Checkout::default()).await?;
        Err(weft_call::Error::invalid_field("id", "a test wants it so"))
    };
    house.store.transact(&house.call(), fails).await.unwrap_err();
    let id = house.begin().await;
    house.ended(id).await;
    assert_eq!(house.sagas.list(&crate::given::system(), None, 10).await.unwrap().len(), 1);
    assert_eq!(house.effects().await, STEPS);
    process.stop().await;
}

async fn who_stops_leaves_the_rest_to_another(house: House) {
    house.shop.at("capture", Trouble::Passing(3));
    let first = house.process();
    let id = house.begin().await;
    until("it waits for its second attempt", async || house.saga(id).await.attempts > 0).await;
    first.stop().await;
    let next = house.process();
    assert_eq!(house.ended(id).await.state(), State::Done);
    assert_eq!(house.effects().await, STEPS);
    next.stop().await;
}
