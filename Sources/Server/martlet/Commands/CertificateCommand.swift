import ArgumentParser
import MartletServer

struct CertificateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate",
        abstract: "Show the certificates of the running server, and have those of an authority renewed.",
        discussion: """
              martlet certificate list
              martlet certificate renew
              martlet certificate renew mail.example.org

            An authority's certificates (acme.directory) are renewed by themselves, after two thirds of their lifetime. Those of
            tls.certificate and tls.certificates are renewed by whoever made them; SIGHUP has them read again.
            """,
        subcommands: [List.self, Renew.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the certificates that clients are shown, and those that are wanted and not there.",
            discussion:
                "The one marked * is shown to clients that ask for no name of another. Exit code 1 when something is wrong."
        )
        @OptionGroup var location: StoreLocation

        func run() async throws {
            guard case .certificates(let views) = try await location.perform(.certificateList) else { return }
            location.show(views) { CertificateCommand.told(views) }
            if views.contains(where: { $0.isExpired || $0.problem != nil }) { throw CommandFailure(.no) }
        }
    }

    struct Renew: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Have certificates of the authority issued now, whatever their schedule; takes seconds to minutes.")
        @Argument(help: ArgumentHelp("Of this name only.", valueName: "name")) var name: String?
        @OptionGroup var location: StoreLocation

        func run() async throws {
            guard case .certificates(let views) = try await location.perform(.certificateRenew(name: name)) else {
                return
            }
            location.show(views) { CertificateCommand.told(views) }
        }
    }

    static func told(_ views: [CertificateView]) -> String {
        guard !views.isEmpty else { return "There are none." }
        var rows = [["", "NAMES", "FROM", "UNTIL", "NEXT ATTEMPT", "ISSUER"]]
        for view in views {
            rows.append([
                view.isStandard ? "*" : "", MessageCommand.clipped(view.names.joined(separator: " "), 60),
                view.source == .own ? "own authority" : view.source.rawValue,
                view.notAfter.map { view.isExpired ? "\($0) (over)" : $0 } ?? "not issued yet",
                view.nextAttempt ?? "-", MessageCommand.clipped(view.issuer ?? "-", 50),
            ])
        }
        return Terminal.table(rows) + views.compactMap(CertificateCommand.trouble).map { "\n\n\($0)" }.joined()
    }

    /// What is wrong with one, and what to do; nil when nothing is.
    static func trouble(_ view: CertificateView) -> String? {
        let name = escapedForTerminal(view.names.first ?? view.origin ?? "")
        if let problem = view.problem {
            let times = view.failures == 1 ? "an attempt" : "\(view.failures) attempts"
            return
                "\(name): \(times) failed, the last at \(view.failedAt ?? "-"): \(escapedForTerminal(problem, limit: 600))"
                + (view.remedy.map { ";\n  \($0)" } ?? "")
        }
        guard view.isExpired else { return nil }
        return
            "\(name): the certificate is over since \(view.notAfter ?? "-"); renew \(escapedForTerminal(view.origin ?? "it"))"
    }
}
