internal import MartletCore

/// The report for programs. Members that do not apply are left out.
extension DoctorRoute: Encodable {
    private struct Report: Encodable {
        let subject: String
        let verdict: String
        let summary: String
        let plan: String?
        let nextStep: String?
        let status: String?
        let reason: String?
        let security: String
        let ttl: UInt32
        let steps: [Step]
        let hosts: [Host]
    }

    private struct Step: Encodable {
        let kind: String
        let text: String
        let reference: String?
    }

    private struct Host: Encodable {
        let name: String?
        let canonicalName: String?
        let preference: UInt16
        let origin: String
        let security: String
        let addresses: [Address]
    }

    private struct Address: Encodable {
        let address: String
        let probe: Probe?
    }

    private struct Probe: Encodable {
        let port: UInt16
        let problem: String?
        let milliseconds: Int64?
        let greeting: String?
        let tls: TLS?
        let extensions: [String]
        let senderReply: String?
        let recipientReply: String?
        let recipientCode: UInt16?
    }

    private struct TLS: Encodable {
        var state: String
        var version: String?
        var cipher: String?
        var certificate: String?
        var problem: String?
    }

    public func encode(to encoder: any Encoder) throws {
        let report = Report(
            subject: subject, verdict: verdict.rawValue, summary: summary, plan: plan, nextStep: nextStep,
            status: route.failure?.status.description, reason: route.failure?.reason.rawValue,
            security: route.security.rawValue, ttl: route.ttl,
            steps: route.steps.map { Step(kind: $0.kind.rawValue, text: $0.text, reference: $0.reference) },
            hosts: route.hosts.map(encodable))
        try report.encode(to: encoder)
    }

    private func encodable(_ host: MailHost) -> Host {
        Host(
            name: host.name?.ascii, canonicalName: host.canonicalName?.ascii, preference: host.preference,
            origin: host.origin.rawValue, security: host.addressSecurity.rawValue,
            addresses: host.addresses.map {
                Address(address: $0.description, probe: probe(of: host, at: $0).map(DoctorRoute.encodable))
            })
    }

    private static func encodable(_ probe: RouteProbe) -> Probe {
        Probe(
            port: probe.port, problem: probe.problem, milliseconds: probe.timeToGreeting.map(milliseconds),
            greeting: probe.greeting, tls: probe.tls.map(encodable), extensions: probe.extensions,
            senderReply: probe.senderReply, recipientReply: probe.recipientReply?.description,
            recipientCode: probe.recipientReply?.code)
    }

    private static func encodable(_ tls: RouteProbe.TLS) -> TLS {
        switch tls {
        case .established(let parameters, let certificate):
            let (told, problem): (String, String?) =
                switch certificate {
                case .valid: ("valid", nil)
                case .invalid(let reason): ("invalid", reason)
                case .notChecked: ("not-checked", nil)
                }
            return TLS(
                state: "established", version: parameters.version, cipher: parameters.cipher, certificate: told,
                problem: problem)
        case .notOffered: return TLS(state: "not-offered")
        case .failed(let reason): return TLS(state: "failed", problem: reason)
        }
    }
}
