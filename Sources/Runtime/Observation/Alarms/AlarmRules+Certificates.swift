/// Which certificate is near its end, and what to do depends on who renews it.
extension AlarmRules {
    /// Others that are named beside the one that ends first, and names of one.
    private static let maximumNames = 3
    /// The server's own authority renews a day earlier.
    private static let ownOverdue = Duration.seconds(29 * 86_400)

    static func certificates(_ all: [ObservedFacts.Certificate], _ threshold: Duration?) -> Finding {
        guard let threshold else { return .clear }
        let ending = all.filter { $0.rest < limit($0, threshold) }.sorted { $0.rest < $1.rest }
        guard let first = ending.first else { return .clear }
        let subject = first.names.isEmpty ? "in \(first.origin)" : "for \(name(first)) (\(first.origin))"
        let overdue = first.source == .file ? "" : ": its renewal is overdue"
        var text =
            first.rest <= .zero
            ? "The certificate \(subject) expired \(told(.zero - first.rest)) ago; mail programs refuse it."
            : "The certificate \(subject) is valid for \(told(first.rest)) more, "
                + "less than \(told(limit(first, threshold)))\(overdue)."
        if ending.count > 1 {
            let others = ending.dropFirst().prefix(maximumNames).map(name).joined(separator: "; ")
            let more = ending.count - 1 > maximumNames ? "; …" : ""
            text += " \(ending.count - 1) more near the end: \(others)\(more)."
        }
        return .alarm(Alarm(.certificateExpiry, text, remedy: remedy(first)))
    }

    /// With less left than this it is an alarm. A certificate that lives for days is never valid for weeks; one by ACME has a third of
    /// its lifetime left when it is renewed, so that with less than a quarter something is wrong.
    private static func limit(_ certificate: ObservedFacts.Certificate, _ threshold: Duration) -> Duration {
        switch certificate.source {
        case .file: threshold
        case .acme: min(threshold, certificate.lifetime / 4)
        case .own: min(threshold, ownOverdue)
        }
    }

    private static func remedy(_ certificate: ObservedFacts.Certificate) -> String {
        switch certificate.source {
        case .file:
            "renew it, put it in the place of \(certificate.origin) and its key in the place of the old key, and send SIGHUP"
        case .acme:
            "see why with “martlet certificate list”, then ask at once with “martlet certificate renew"
                + (certificate.names.first.map { " \($0)”" } ?? "”")
        case .own:
            "the server looks once an hour and renews it by itself: see in the log why that fails, or start the server anew"
        }
    }

    private static func name(_ certificate: ObservedFacts.Certificate) -> String {
        guard !certificate.names.isEmpty else { return certificate.origin }
        return certificate.names.prefix(maximumNames).joined(separator: ", ")
            + (certificate.names.count > maximumNames ? ", …" : "")
    }
}
