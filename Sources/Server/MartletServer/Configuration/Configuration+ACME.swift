internal import ACMEProtocol

extension Configuration.ACME {
    /// nil when no authority is named.
    init?(_ settings: ConfigurationSettings) {
        guard !settings.text("acme.directory").isEmpty else { return nil }
        func path(_ key: String) -> String? { settings.text(key).isEmpty ? nil : settings.text(key) }
        self.init(
            directory: settings.text("acme.directory"), agreesToTerms: settings.boolean("acme.agree-to-terms"),
            contacts: settings.texts("acme.contact"), names: settings.texts("acme.names"),
            challenge: ACMEChallengeKind(rawValue: settings.text("acme.challenge")) ?? .http,
            trustedCertificates: path("acme.ca-certificates"), externalAccount: path("acme.external-account"),
            firstRetry: settings.duration("acme.first-retry") ?? .seconds(300))
    }

    /// What does not go together.
    static func conflicts(
        _ settings: ConfigurationSettings, _ listeners: Configuration.Listeners
    ) -> [ConfigurationIssue] {
        guard let acme = Configuration.ACME(settings) else { return [] }
        var issues: [ConfigurationIssue] = []
        let (key, addresses) =
            acme.challenge == .http ? ("listeners.acme", listeners.acme) : ("listeners.acme-tls", listeners.acmeTLS)
        if addresses.isEmpty, !settings.unusable.contains(key) {
            issues.append(
                ConfigurationIssue(
                    settings[key].origin, "acme.directory is set and \(key) is switched off, where the authority looks",
                    remedy: "give \(key) an address, or choose another acme.challenge"))
        }
        if acme.names.count > 100 {
            issues.append(
                ConfigurationIssue(
                    settings["acme.names"].origin, "acme.names has \(acme.names.count) names",
                    remedy: "name at most 100"))
        }
        return issues
    }
}
