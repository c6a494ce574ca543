//! The mesh's reasons are listed twice: for callers in `proto/weft/mesh/v1/reason.proto`, and in
//! `weft_call`, which stands below all contracts and cannot be generated from one.

use weft_call::{Declares, Reason};
use weft_contracts_mesh::{MeshContract, MeshReason};

#[test]
fn the_contract_lists_the_reasons_that_the_mesh_gives() {
    let given: Vec<_> = weft_call::MeshReason::ALL.iter().map(|reason| (reason.name(), reason.code())).collect();
    let listed: Vec<_> = MeshReason::ALL.iter().map(|reason| (reason.name(), reason.code())).collect();
    assert_eq!(listed, given);
    assert_eq!(MeshReason::DOMAIN, weft_call::MeshReason::DOMAIN);
    let table: Vec<_> = MeshContract::CONTRACT.reasons.iter().map(|reason| (reason.name, reason.code)).collect();
    assert_eq!(table, given);
}
