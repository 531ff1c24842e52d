internal import MartletCore

extension DoctorRoute {
    /// Characters of one line.
    static let maximumLine = 1_000

    /// The whole report: lines that end in LF, safe for a terminal.
    public var text: String { lines.map { DoctorRoute.line($0) + "\n" }.joined() }

    /// Without line ends.
    public var lines: [String] {
        var lines = ["Route of mail for \(subject)", "", "How it is found:"]
        for (index, step) in route.steps.enumerated() {
            let mark = step.kind == .problem ? "! " : ""
            lines.append("  \(index + 1). \(mark)\(step.text)\(step.reference.map { " [\($0)]" } ?? "")")
        }
        if !route.hosts.isEmpty {
            lines += ["", "Servers, in the order in which they are tried:"]
            for (index, host) in route.hosts.enumerated() { lines += told(host, number: index + 1) }
        }
        lines += ["", summary]
        if let plan { lines.append(plan) }
        if let nextStep { lines.append("Next step: \(nextStep)") }
        return lines
    }

    private func told(_ host: MailHost, number: Int) -> [String] {
        let name = host.name?.ascii ?? "(address literal)"
        let origin =
            switch host.origin {
            case .mx: "preference \(host.preference)"
            case .implicitMX: "the domain itself, as it has no MX record"
            case .given: "given"
            }
        var lines = ["  \(number). \(name), \(origin), addresses \(host.addressSecurity.rawValue)"]
        for address in host.addresses {
            lines.append("     \(address)")
            guard let probe = probe(of: host, at: address) else { continue }
            lines += told(probe, host: host).map { "       \($0)" }
        }
        return lines
    }

    private func told(_ probe: RouteProbe, host: MailHost) -> [String] {
        var lines: [String] = []
        if let greeting = probe.greeting {
            let time = probe.timeToGreeting.map { " after \(DoctorRoute.milliseconds($0)) ms" } ?? ""
            lines.append("port \(probe.port) answered\(time): \(greeting)")
        }
        switch probe.tls {
        case .established(let parameters, let certificate):
            let told =
                switch certificate {
                case .valid: "the certificate is valid"
                case .invalid(let reason):
                    "the certificate \(reason); mail is encrypted all the same, without proof of who reads"
                case .notChecked: "the certificate was not checked"
                }
            lines.append("TLS: \(parameters.version), \(parameters.cipher); \(told)")
        case .notOffered: lines.append("TLS: not offered; mail goes in clear")
        case .failed(let reason): lines.append("TLS: failed: \(reason)")
        case nil: break
        }
        if !probe.extensions.isEmpty { lines.append("offers: \(probe.extensions.joined(separator: ", "))") }
        if let reply = probe.senderReply { lines.append("it does not take the sender: \(reply)") }
        if let reply = probe.recipientReply {
            lines.append("\(reply.isPositive ? "takes" : "does not take") the recipient: \(reply)")
        }
        if let problem = probe.problem { lines.append("problem: \(problem)") }
        return lines
    }

    static func milliseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return seconds &* 1_000 &+ attoseconds / 1_000_000_000_000_000
    }

    /// Text that may quote the network: control characters and what turns the reading direction become `?`.
    static func line(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(maximumLine) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: result.append("?")
            default: result.append(scalar)
            }
        }
        return String(result)
    }
}
