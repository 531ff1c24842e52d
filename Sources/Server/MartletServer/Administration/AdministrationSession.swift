internal import Authentication
internal import Logging
package import MartletCore
internal import StoreEngine

/// How a command reaches the data: through the server that runs on the directory, or, when none runs, by opening the store
/// itself. The store's lock sees to it that there are never two.
package final class AdministrationSession {
    enum Way {
        case server(ControlClient)
        case store(OpenedStore, DataDirectory)
    }

    let way: Way

    private init(_ way: Way) { self.way = way }

    /// - Throws: `AdministrationUnreachable` with a sentence for people.
    package static func open(_ directory: DataDirectory, configuration: Configuration)
        async throws(AdministrationUnreachable) -> AdministrationSession
    {
        do throws(FileFailure) {
            if let client = try ControlClient(directory) { return AdministrationSession(.server(client)) }
        } catch {
            throw AdministrationUnreachable(error.description)
        }
        guard directory.isInUse else {
            throw AdministrationUnreachable(
                "there is no mail server's data in \(directory.path); start “martlet lab --dir DIR” or “martlet serve” first, or name the directory with --dir"
            )
        }
        let logger = Logger(label: "store") { label in
            ServerLogHandler(label: label, sink: LogSink(path: nil), format: .text, level: .init(.warning))
        }
        do throws(StoreOpenError) {
            return AdministrationSession(
                .store(
                    try await OpenedStore.open(
                        directory, configuration: configuration, clock: SystemClock(), logger: logger), directory))
        } catch {
            throw AdministrationUnreachable(error.description)
        }
    }

    package func perform(_ request: AdministrationRequest) async throws(AdministrationUnreachable)
        -> AdministrationResponse
    {
        switch way {
        case .server(let client):
            do throws(FileFailure) { return try client.perform(request) } catch {
                throw AdministrationUnreachable(error.description)
            }
        case .store(let store, _):
            return await store.administration.perform(request)
        }
    }

    /// Whether a running server answers; otherwise this process has opened the store.
    package var isServer: Bool {
        if case .server = way { return true }
        return false
    }

    /// Ends; what was changed is durable already.
    package func close() {
        guard case .store(let store, let directory) = way else { return }
        store.engine.close()
        DataOwnership.giveBack(directory)
    }
}

/// Neither a server nor the store could be reached (exit code 3).
package struct AdministrationUnreachable: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}

/// Passwords that the commands make.
package enum GeneratedPassword {
    /// Five groups of four letters and digits, 99 bits.
    package static func make() -> Secret { CredentialMaker.generateAppPassword() }
}
