import ArgumentParser
import MartletServer

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Tell whether the server answers, how many domains and accounts it has, and what is wrong with it.",
        discussion: "Exit code 0 when a server runs, 1 when none does and its data can be read, 3 when neither is so.")

    @OptionGroup var location: StoreLocation

    func run() async throws {
        let (response, isServer) = try await location.session { (session) throws(CommandFailure) in
            (try await location.ask(session, .status), session.isServer)
        }
        guard case .status(let status) = response else { return }
        location.show(Shown(running: isServer, status: status)) {
            (isServer
                ? "the server runs: pid \(status.pid), martlet \(status.version), \(status.hostname)"
                : "no server runs; its data can be read")
                + "\ndomains: \(status.domains), accounts: \(status.accounts)"
                + StatusCommand.told(status.certificates) + StatusCommand.told(status)
        }
        if !isServer { throw CommandFailure(.no) }
    }

    /// How many there are and which ends first, then what is wrong.
    private static func told(_ certificates: [CertificateView]) -> String {
        guard !certificates.isEmpty else { return "" }
        let issued = certificates.compactMap(\.notAfter)
        return "\ncertificates: \(issued.count)" + (issued.min().map { ", the first ends \($0)" } ?? "")
            + certificates.compactMap(CertificateCommand.trouble).map { "\n  \($0)" }.joined()
    }

    private static func told(_ status: StatusView) -> String {
        guard let alarms = status.alarms else { return "" }
        guard !alarms.isEmpty else { return "\nalarms: none" }
        let readiness = status.isReady == false ? "\nnot ready: mail is refused for now" : ""
        return readiness
            + alarms.map { "\nALARM \($0.name): \(sentence($0.text))\n  next step: \(sentence($0.remedy))" }.joined()
    }

    private static func sentence(_ text: String) -> String { escapedForTerminal(text, limit: 1_000) }

    private struct Shown: Encodable {
        let running: Bool
        let status: StatusView
    }
}
