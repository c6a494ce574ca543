//! The static tables that both ends of a call read.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use crate::{
    generator::Generator,
    names,
    options::{Audit, CallPolicy, Idempotency, LimitScope},
    package::{Binding, Method, Service},
};

fn some_text(text: &str) -> TokenStream {
    if text.is_empty() { quote!(::core::option::Option::None) } else { quote!(::core::option::Option::Some(#text)) }
}

impl Generator<'_> {
    /// The contract's table, and the type that stands for it.
    pub(crate) fn tables(&self) -> TokenStream {
        let (runtime, contract) = (&self.runtime, self.contract_name());
        let (domain, package) = (&self.package.domain, &self.package.name);
        let about = format!(" The contract of `{package}`.");
        let service = self.package.services.first().map(|service| self.service_table(service));
        let services = if service.is_some() { quote!(::core::slice::from_ref(&SERVICE)) } else { quote!(&[]) };
        let (reasons, events, licences) = (self.reason_table(), self.event_table(), self.licences());
        quote! {
            #service

            #[doc = #about]
            #[derive(Clone, Copy, Debug)]
            pub struct #contract;

            static CONTRACT: #runtime::Contract = #runtime::Contract {
                domain: #domain,
                package: #package,
                services: #services,
                reasons: #reasons,
                events: #events,
                descriptor_set: include_bytes!("contract.fds"),
            };

            impl #runtime::Declares for #contract {
                const CONTRACT: &'static #runtime::Contract = &CONTRACT;
            }

            #licences
        }
    }

    fn service_table(&self, service: &Service) -> TokenStream {
        let (runtime, name, domain) = (&self.runtime, service.descriptor.full_name(), &service.domain);
        let calls = &service.policy.calls;
        let permissions = service.policy.permissions.iter().map(|permission| {
            let (name, roles) = (&permission.name, &permission.roles);
            quote!(#runtime::PermissionContract { name: #name, roles: &[#(#roles),*] })
        });
        let methods = service.methods.iter().enumerate().map(|(index, method)| self.method_table(service, index, method));
        quote! {
            static SERVICE: #runtime::ServiceContract = #runtime::ServiceContract {
                name: #name,
                domain: #domain,
                calls: &[#(#calls),*],
                permissions: &[#(#permissions),*],
                methods: &[#(#methods),*],
            };
        }
    }

    fn method_table(&self, service: &Service, index: usize, method: &Method) -> TokenStream {
        let (runtime, domain, descriptor) = (&self.runtime, &service.domain, &method.descriptor);
        let (service, name) = (service.descriptor.full_name(), descriptor.name());
        let path = format!("/{service}/{name}");
        let (input, output) = (descriptor.input(), descriptor.output());
        let (input, output) = (input.full_name(), output.full_name());
        let kind = match (descriptor.is_client_streaming(), descriptor.is_server_streaming()) {
            (false, false) => quote!(Unary),
            (false, true) => quote!(ServerStreaming),
            (true, false) => quote!(ClientStreaming),
            (true, true) => quote!(Bidirectional),
        };
        let (access, policy) = (self.access(&method.policy), self.policy(&method.policy));
        let http = method.http.iter().map(|binding| self.route(binding));
        quote! {
            #runtime::MethodContract {
                index: #index,
                domain: #domain,
                service: #service,
                name: #name,
                path: #path,
                input: #input,
                output: #output,
                kind: #runtime::MethodKind::#kind,
                access: #access,
                #policy
                http: &[#(#http),*],
            }
        }
    }

    fn access(&self, policy: &CallPolicy) -> TokenStream {
        let (runtime, permission) = (&self.runtime, some_text(&policy.permission));
        let CallPolicy { public, authenticated, any_of, roles, callers, .. } = policy;
        quote! {
            #runtime::Access {
                public: #public,
                authenticated: #authenticated,
                permission: #permission,
                roles: &[#(#roles),*],
                callers: &[#(#callers),*],
                any_of: #any_of,
            }
        }
    }

    fn policy(&self, policy: &CallPolicy) -> TokenStream {
        let (runtime, system) = (&self.runtime, some_text(&policy.system));
        let deadline = policy.deadline.as_ref().map_or(quote!(::core::option::Option::None), |deadline| {
            // Negative ones were refused.
            let seconds = Literal::u64_unsuffixed(deadline.seconds.unsigned_abs());
            let nanos = Literal::u32_unsuffixed(deadline.nanos.unsigned_abs());
            quote!(::core::option::Option::Some(::core::time::Duration::new(#seconds, #nanos)))
        });
        let idempotency = match policy.idempotency() {
            Idempotency::Read => quote!(Read),
            Idempotency::Natural => quote!(Natural),
            Idempotency::Keyed => quote!(Keyed),
            Idempotency::Unspecified | Idempotency::None => quote!(None),
        };
        let limits = policy.limit.iter().map(|limit| {
            let per = match limit.per() {
                LimitScope::Tenant => quote!(Tenant),
                LimitScope::User => quote!(User),
                LimitScope::Peer => quote!(Peer),
                // An unspecified one was refused.
                LimitScope::Address | LimitScope::Unspecified => quote!(Address),
            };
            let (rate, burst) = (limit.rate, if limit.burst == 0 { limit.rate } else { limit.burst });
            quote!(#runtime::Limit { per: #runtime::LimitScope::#per, rate: #rate, burst: #burst })
        });
        let audit = match policy.audit() {
            Audit::Unspecified => quote!(None),
            Audit::Read => quote!(Read),
            Audit::Write => quote!(Write),
            Audit::WriteAndRefused => quote!(WriteAndRefused),
        };
        let replica = policy.replica;
        quote! {
            system: #system,
            deadline: #deadline,
            idempotency: #runtime::Idempotency::#idempotency,
            replica: #replica,
            limits: &[#(#limits),*],
            audit: #runtime::Audit::#audit,
        }
    }

    fn route(&self, binding: &Binding) -> TokenStream {
        let (runtime, Binding { method, template, body, response_body, .. }) = (&self.runtime, binding);
        let method = match method.as_str() {
            "GET" | "PUT" | "POST" | "DELETE" | "PATCH" => names::camel(method).to_token_stream(),
            custom => quote!(Custom(#custom)),
        };
        quote! {
            #runtime::HttpRoute {
                method: #runtime::HttpMethod::#method,
                template: #template,
                body: #body,
                response_body: #response_body,
            }
        }
    }
}
