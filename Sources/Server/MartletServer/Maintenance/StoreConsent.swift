internal import StoreEngine

/// Keeps segment files where they are while a command of this machine copies them: the running server is asked, or, when none
/// runs, its place is taken.
final class StoreConsent {
    private enum Way {
        case server(ControlClient)
        case lock(StoreLock)
    }

    private let way: Way
    private let holder = Int64.random(in: 1...Int64.max)
    private var asked = ContinuousClock.now

    /// Seconds that the server waits for a word of us, and after which it is given one.
    private static let patience = 600
    private static let interval = Duration.seconds(30)

    init(_ directory: DataDirectory) throws(MaintenanceFailure) {
        do throws(FileFailure) {
            if let client = try ControlClient(directory) {
                way = .server(client)
                try ask(seconds: StoreConsent.patience)
                return
            }
        } catch {
            throw MaintenanceFailure(error.description, isUnreachable: true)
        }
        guard directory.isInUse else {
            throw MaintenanceFailure("there is no mail server's data in \(directory.path)", isUnreachable: true)
        }
        do throws(StoreOpenError) { way = .lock(try StoreLock(directory.store)) } catch {
            throw MaintenanceFailure(error.description, isUnreachable: true)
        }
    }

    /// To be called often: says now and then that we are still at it.
    func renew() throws {
        guard ContinuousClock.now - asked > StoreConsent.interval else { return }
        try ask(seconds: StoreConsent.patience)
        asked = .now
    }

    func end() {
        switch way {
        case .server: try? ask(seconds: 0)
        case .lock(let lock): lock.release()
        }
    }

    private func ask(seconds: Int) throws(FileFailure) {
        guard case .server(let client) = way else { return }
        guard case .done = try client.perform(.segmentsHold(holder: holder, seconds: seconds)) else {
            throw FileFailure(
                "the server does not know how to be backed up: is it of another version than this command?")
        }
    }
}
