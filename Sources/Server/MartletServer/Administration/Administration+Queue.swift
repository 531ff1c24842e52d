internal import MailStore
internal import MartletCore
internal import OutboundDelivery
internal import Records
internal import Synchronization

/// Tells the queue of a running server that an administrator changed what waits. Silent while there is none.
package final class QueueBell: Sendable {
    enum News: Sendable {
        case changed
        /// Try these destinations now; nil: all.
        case tryAgain([String]?)
    }

    private let ring = Mutex<(@Sendable (News) -> Void)?>(nil)
    package init() {}
    func connect(_ action: @escaping @Sendable (News) -> Void) { ring.withLock { $0 = action } }
    func callAsFunction(_ news: News = .changed) { ring.withLock { $0 }?(news) }
}

// What waits for other servers.
extension Administration {
    /// Messages that are cancelled in one commit.
    private static let cancelSlice = 100

    func queue(_ request: AdministrationRequest) async throws(AdministrationFailure) -> AdministrationResponse {
        switch request {
        case .queueList(let filter, let limit):
            var query = try query(filter)
            query.limit = min(max(1, limit), AdministrationRequest.maximumList)
            let asked = query
            let found = try await stored { () throws(StoreError) in try await queueStore.queued(asked) }
            guard filter.code == nil || !found.isEmpty else { throw Administration.notQueued(filter) }
            return .queue(found.map(QueuedMessageView.init))
        case .queueStatistics:
            return .queueStatistics(
                QueueStatisticsView(
                    try await stored { () throws(StoreError) in try await queueStore.queueStatistics() }))
        case .queueChange(let step, let filter):
            let query = try query(filter)
            let change: QueueChange =
                switch step {
                case .hold: .hold
                case .release: .release
                case .retry: .retry
                }
            let now = clock.now()
            let destinations = try await destinations(query)
            let count = try await stored { () throws(StoreError) in
                try await queueStore.change(change, of: query, now: now)
            }
            if count > 0 { bell(step == .retry ? .tryAgain(destinations) : .changed) }
            return try changed(count, filter)
        case .queueCancel(let filter, let notifies):
            return try changed(try await cancel(try query(filter), notifies: notifies), filter)
        default: preconditionFailure("asked for the queue")
        }
    }

    /// Where a change of these goes to; nil: anywhere.
    private func destinations(_ query: QueueQuery) async throws(AdministrationFailure) -> [String]? {
        guard query.code != nil else { return query.destination.map { [$0] } }
        let found = try await stored { () throws(StoreError) in try await queueStore.queued(query) }
        return Array(Set(found.flatMap(\.recipients).map(\.destination)))
    }

    private func changed(_ count: Int, _ filter: QueueFilter) throws(AdministrationFailure) -> AdministrationResponse {
        guard count > 0 || filter.code == nil else { throw Administration.notQueued(filter) }
        return .queueChanged(count)
    }

    private static func notQueued(_ filter: QueueFilter) -> AdministrationFailure {
        AdministrationFailure(
            .notFound, "nothing of “\(escapedForTerminal(filter.code ?? ""))” waits that could be changed so",
            remedy: "“martlet queue list” lists what waits, “martlet explain” tells what became of a message")
    }

    private func query(_ filter: QueueFilter) throws(AdministrationFailure) -> QueueQuery {
        var query = QueueQuery(limit: AdministrationRequest.maximumList)
        if let code = filter.code {
            guard let known = LookupCode(code) else {
                throw AdministrationFailure(
                    .invalid, "“\(escapedForTerminal(code))” is no lookup code",
                    remedy: "take the code of 13 characters from “martlet queue list” or the server's reply")
            }
            query.code = known
        }
        if let destination = filter.destination {
            query.destination = Domain(destination)?.ascii ?? destination.lowercased()
        }
        query.address = filter.address
        if let state = filter.state {
            guard let known = QueuedRecipient.State(rawValue: state) else {
                throw AdministrationFailure(
                    .invalid, "“\(escapedForTerminal(state))” is no state", remedy: "write waiting, leased or held")
            }
            query.state = known
        }
        return query
    }

    private func cancel(_ query: QueueQuery, notifies: Bool) async throws(AdministrationFailure) -> Int {
        var query = query
        query.limit = Administration.cancelSlice
        var cancelled = 0
        while true {
            let asked = query
            let count = try await stored { () throws(StoreError) in
                try await canceller.cancel(asked, notifies: notifies, now: clock.now())
            }
            guard count > 0 else { break }
            cancelled += count
        }
        // A notice to somebody elsewhere is work for the queue.
        if cancelled > 0 { bell() }
        return cancelled
    }
}
