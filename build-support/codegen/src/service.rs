//! The handler trait, the server around it and the client: thin shells over `weft_call::dispatch`.
//!
//! No RPC library is named: a transport adapts the `Service` and `Upstream` of `weft_call` once, for
//! all contracts.

use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

use crate::{
    generator::{Generator, doc},
    names,
    package::{Method, Service},
};

/// Which step of `weft_call::dispatch` a method takes: `unary` of `serve_unary` and `call_unary`.
fn kind(method: &Method) -> &'static str {
    match (method.descriptor.is_client_streaming(), method.descriptor.is_server_streaming()) {
        (false, false) => "unary",
        (false, true) => "server_streaming",
        (true, false) => "client_streaming",
        (true, true) => "bidirectional",
    }
}

impl Generator<'_> {
    fn request(&self, method: &Method) -> TokenStream {
        let (runtime, message) = (&self.runtime, self.message(&method.descriptor.input()));
        if method.descriptor.is_client_streaming() { quote!(#runtime::Streaming<#message>) } else { message }
    }

    fn answer(&self, method: &Method) -> TokenStream {
        let (runtime, message) = (&self.runtime, self.message(&method.descriptor.output()));
        let message = if method.descriptor.is_server_streaming() { quote!(#runtime::Streaming<#message>) } else { message };
        quote!(#runtime::Result<#runtime::Reply<#message>>)
    }

    fn method_doc(&self, method: &Method) -> TokenStream {
        doc(self.package.comment(&method.descriptor.parent_file(), method.descriptor.path()))
    }

    /// All that a service compiles to but its tables.
    pub(crate) fn service(&self, service: &Service) -> TokenStream {
        let (handler, server, client) = (self.handler(service), self.server(service), self.client(service));
        quote!(#handler #server #client)
    }

    fn handler(&self, service: &Service) -> TokenStream {
        let (runtime, name) = (&self.runtime, names::camel(service.descriptor.name()));
        let about = doc(self.package.comment(&service.descriptor.parent_file(), service.descriptor.path()));
        let methods = service.methods.iter().map(|method| {
            let (about, name) = (self.method_doc(method), names::snake(method.descriptor.name()));
            let (request, answer) = (self.request(method), self.answer(method));
            quote! {
                #about
                fn #name(
                    &self,
                    call: &#runtime::Call,
                    request: #request,
                ) -> impl ::core::future::Future<Output = #answer> + ::core::marker::Send;
            }
        });
        quote! {
            #about
            pub trait #name: ::core::marker::Send + ::core::marker::Sync + 'static { #(#methods)* }
        }
    }

    fn server(&self, service: &Service) -> TokenStream {
        let (runtime, contract, handler) = (&self.runtime, self.contract_name(), names::camel(service.descriptor.name()));
        let server = format_ident!("{}Service", handler);
        let arms = service.methods.iter().enumerate().map(|(index, method)| self.arm(index, method));
        quote! {
            struct #server<H>(::std::sync::Arc<H>);

            impl<H: #handler> #runtime::Service for #server<H> {
                fn contract(&self) -> &'static #runtime::ServiceContract {
                    &SERVICE
                }

                fn handle<'a>(
                    &'a self,
                    method: &'static #runtime::MethodContract,
                    call: #runtime::Call,
                    request: #runtime::Payload,
                    replays: &'a dyn #runtime::Replays,
                ) -> #runtime::BoxFuture<'a, #runtime::Result<#runtime::Reply<#runtime::Payload>>> {
                    let handler = ::std::sync::Arc::clone(&self.0);
                    match method.index {
                        _ if method.service != SERVICE.name => unknown_method(),
                        #(#arms,)*
                        _ => unknown_method(),
                    }
                }
            }

            fn unknown_method<'a>() -> #runtime::BoxFuture<'a, #runtime::Result<#runtime::Reply<#runtime::Payload>>> {
                ::std::boxed::Box::pin(async {
                    ::core::result::Result::Err(#runtime::Error::new(
                        #runtime::MeshReason::MethodUnknown,
                        "the service has no such method",
                    ))
                })
            }

            impl<H: #handler> #runtime::Serves<H> for #contract {
                fn service(handler: ::std::sync::Arc<H>) -> ::std::sync::Arc<dyn #runtime::Service> {
                    ::std::sync::Arc::new(#server(handler))
                }
            }
        }
    }

    /// The arm of a method in its server's dispatch.
    fn arm(&self, index: usize, method: &Method) -> TokenStream {
        let (runtime, name, request) = (&self.runtime, names::snake(method.descriptor.name()), self.request(method));
        let serve = format_ident!("serve_{}", kind(method));
        let context = if method.is_unary() { quote!(method, call, request, replays) } else { quote!(call, request) };
        quote! {
            #index => ::std::boxed::Box::pin(#runtime::dispatch::#serve(
                #context,
                move |call: #runtime::Call, request: #request| async move { handler.#name(&call, request).await },
            ))
        }
    }

    fn client(&self, service: &Service) -> TokenStream {
        let (runtime, name) = (&self.runtime, Self::client_name(service));
        let about = format!(" Calls `{}` on any upstream.", service.descriptor.full_name());
        let label = name.to_string();
        let methods = service.methods.iter().enumerate().map(|(index, method)| {
            let (about, name) = (self.method_doc(method), names::snake(method.descriptor.name()));
            let (request, answer) = (self.request(method), self.answer(method));
            let send = format_ident!("call_{}", kind(method));
            quote! {
                #about
                pub async fn #name(&self, call: &#runtime::Call, request: #request) -> #answer {
                    #runtime::dispatch::#send(&*self.0, call, &SERVICE.methods[#index], request).await
                }
            }
        });
        quote! {
            #[doc = #about]
            #[derive(Clone)]
            pub struct #name(::std::sync::Arc<dyn #runtime::Upstream>);

            impl ::core::fmt::Debug for #name {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(#label)
                }
            }

            impl #runtime::Client for #name {
                const SERVICE: &'static #runtime::ServiceContract = &SERVICE;

                fn over(upstream: ::std::sync::Arc<dyn #runtime::Upstream>) -> Self {
                    Self(upstream)
                }
            }

            impl #name { #(#methods)* }
        }
    }

    fn client_name(service: &Service) -> Ident {
        format_ident!("{}Client", names::camel(service.descriptor.name()))
    }

    /// The licences for the clients that the contract declares in `calls`.
    pub(crate) fn licences(&self) -> TokenStream {
        let (runtime, contract) = (&self.runtime, self.contract_name());
        let called = self.package.services.iter().flat_map(|service| &service.policy.calls);
        let licences = called.filter_map(|name| {
            let (package, service) = name.rsplit_once('.')?;
            let (path, client) = (self.uses.get(package)?, format_ident!("{}Client", names::camel(service)));
            Some(quote!(impl #runtime::Calls<#path::#client> for #contract {}))
        });
        licences.collect()
    }
}
