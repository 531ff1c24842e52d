import MailStore
import MartletCore
import QueueEngine
import Records

extension Simulation {
    // MARK: - Mail comes in

    /// Spreads `settings.messages` over senders, destinations and time: a few destinations have much of it, some senders send
    /// thousands at once, also to destinations that are slow or dead.
    mutating func planArrivals() {
        var left = settings.messages
        let span = Double(settings.arrivals.components.seconds)
        for (sender, kind) in [Internet.Kind.slow, .timesOut, .healthy, .temporaryAlways].enumerated() {
            guard let destination = internet.hosts.firstIndex(where: { $0.kind == kind }) else { continue }
            let count = settings.messages / 20
            left -= count
            planArrival(sender, destination, 1, count, generator.seconds(0...span / 2))
        }
        while left > 0 {
            left -= 1
            let skewed = Double.random(in: 0..<1, using: &generator)
            let destination = min(settings.destinations - 1, Int(skewed * skewed * Double(settings.destinations)))
            let recipients = generator.chance(0.1) ? 1 + generator.below(8) : 1
            planArrival(
                4 + generator.below(settings.senders - 4), destination, recipients, 1, generator.seconds(0...span))
        }
    }

    private mutating func planArrival(
        _ sender: Int, _ destination: Int, _ recipients: Int, _ count: Int, _ after: Duration
    ) {
        counts.arrivalsLeft += 1
        events.add(
            .arrival(sender: sender, destination: destination, recipients: recipients, count: count),
            at: Simulation.begin + after)
    }

    mutating func arrive(sender: Int, destination: Int, recipients: Int, isNotice: Bool = false) {
        let host = internet.hosts[destination]
        let message = QueuedMessage(
            code: QueueModel.code(queue.messages.count), blob: Simulation.blob, size: 4_096, body: .sevenBit,
            needsSMTPUTF8: false, lane: isNotice ? "notices" : senderNames[sender], queuedAt: now,
            expiresAt: now + settings.timeToLive)
        let isHeld = settings.crashEvery != nil && generator.chance(settings.held)
        let reversePath = isNotice ? nil : Simulation.address
        let all = (0..<recipients).map { number in
            QueuedRecipient(
                number: number, address: Simulation.address, original: "", notify: randomNotify(),
                reversePath: reversePath, sender: reversePath, destination: host.name,
                state: isHeld ? .held : .waiting, nextAttempt: now)
        }
        for _ in all {
            journeys.append(
                Journey(acceptedAt: now, isFair: host.kind == .healthy && sender >= 4 && !isNotice && !isHeld))
        }
        if isHeld {
            events.add(.release(message: queue.accept(message, all)), at: now + generator.seconds(60...48 * 3_600))
            return
        }
        // Whoever takes it in tells its own engine, and may keep the lease.
        let running = servers.indices.filter {
            servers[$0].owner != 0 && servers[$0].stalledUntil <= now && !servers[$0].isStopping
        }
        guard let server = running.isEmpty ? nil : running[generator.below(running.count)] else {
            _ = queue.accept(message, all)
            return
        }
        if generator.chance(0.5), servers[server].engine?.canTakeLeased(host.name, now: now) ?? false {
            let leaseUntil = now + .seconds(600)
            let index = queue.accept(message, all, owner: servers[server].owner, leaseUntil: leaseUntil)
            let first = queue.row(QueueModel.code(index), 0)
            let delivery = QueuedDelivery(message: message, recipients: all.map { queue.recipient(first + $0.number) })
            tellSoon(server, .arrivedLeased([delivery], leaseUntil: leaseUntil))
        } else {
            _ = queue.accept(message, all)
            tellSoon(server, .arrived([QueueLane(destination: host.name, lane: message.lane)]))
        }
    }

    mutating func release(_ message: Int) {
        let lanes = queue.release(message: message)
        for server in servers.indices where servers[server].owner != 0 { tellSoon(server, .arrived(lanes)) }
    }

    private mutating func randomNotify() -> NotifyConditions {
        switch generator.below(10) {
        case 0: []
        case 1: [.success]
        case 2: [.success, .failure, .delay]
        case 3: [.failure]
        default: .standard
        }
    }

    private mutating func tellSoon(_ server: Int, _ event: QueueEvent) {
        events.add(
            .tell(server: server, owner: servers[server].owner, event), at: now + generator.seconds(0.0001...0.005))
    }

    // MARK: - Attempts

    mutating func beginAttempt(_ server: Int, _ id: AttemptID, _ delivery: QueuedDelivery) {
        guard let configuration = servers[server].engine?.configuration else { return }
        let destination = delivery.recipients[0].destination
        counts.attempts += 1
        for recipient in delivery.recipients {
            let row = queue.row(delivery.message.code, recipient.number)
            if queue.rows[row].isHeld { violated("row \(row) is held and attempted") }
            if let other = journeys[row].server {
                if journeys[row].owner == servers[server].owner {
                    violated("row \(row) is attempted twice at once by one server")
                } else if !wasTroubled(other, since: journeys[row].since),
                    !wasTroubled(server, since: journeys[row].since)
                {
                    violated("row \(row) is attempted twice at once by two servers without trouble")
                }
            }
            journeys[row].server = server
            journeys[row].owner = servers[server].owner
            journeys[row].since = now
            if journeys[row].firstAttempt == nil {
                journeys[row].firstAttempt = now
                if journeys[row].isFair, lastDisturbance < journeys[row].acceptedAt {
                    counts.longestFairWait = max(counts.longestFairWait, now - journeys[row].acceptedAt)
                }
            }
        }
        let code = delivery.message.code
        let verdict = internet.attempt(
            delivery, row: { [queue] in queue.row(code, $0) }, now: now, using: &generator)
        servers[server].attempts[id] = SimulatedServer.Attempt(delivery: delivery, since: now, verdict: verdict)
        servers[server].toDestination[destination, default: 0] += 1
        let (all, one) = (servers[server].attempts.count, servers[server].toDestination[destination] ?? 0)
        counts.mostAtOnce = max(counts.mostAtOnce, all)
        counts.mostToOne = max(counts.mostToOne, one)
        counts.mostDestinations = max(counts.mostDestinations, servers[server].engine?.load.destinations ?? 0)
        if all > configuration.totalAttempts { violated("\(all) attempts at once") }
        if one > configuration.maximumWindow { violated("\(one) attempts at once to \(destination)") }
        events.add(
            .attemptDone(server: server, owner: servers[server].owner, id), at: now + verdict.lasts)
    }

    /// The other side says its last word. The message is theirs from now on where it is 250.
    mutating func finishAttempt(_ server: Int, _ id: AttemptID) {
        guard let attempt = endAttempt(server, id) else { return }
        for recipient in attempt.delivery.recipients {
            let isTaken =
                switch attempt.verdict.report.results[recipient.number] ?? attempt.verdict.report.others {
                case .relayed: true
                case .temporary, .permanent, .notTried: false
                }
            if isTaken || attempt.verdict.takenUnseen.contains(recipient.number) {
                let row = queue.row(attempt.delivery.message.code, recipient.number)
                taken(row, server: server, since: attempt.since, isTaken ? .told : .replyLost)
            }
        }
        tellSoon(server, .attemptEnded(id, attempt.verdict.report))
    }

    enum Knowledge {
        /// Its 250 reaches us.
        case told
        /// It hangs up before its 250.
        case replyLost
        /// We crash before we have read its 250.
        case unread
    }

    private mutating func taken(_ row: Int, server: Int, since: Instant, _ knowledge: Knowledge) {
        if journeys[row].sent > 0 {
            if wasTroubled(server, since: since) || lostTrack(row) {
                counts.duplicatesOfCrashes += 1
            } else if journeys[row].isReplyLost {
                counts.duplicatesOfLostReplies += 1
            } else {
                violated("row \(row) was sent twice without a reason")
            }
        }
        if let final = queue.rows[row].final, final != .relayed, !wasTroubled(server, since: since) {
            violated("row \(row) was \(final) and then sent")
        }
        journeys[row].sent += 1
        journeys[row].isReplyLost = knowledge == .replyLost
        journeys[row].sender = server
        journeys[row].sentSince = since
    }

    private func lostTrack(_ row: Int) -> Bool {
        journeys[row].sender.map { wasTroubled($0, since: journeys[row].sentSince) } ?? false
    }

    private mutating func endAttempt(_ server: Int, _ id: AttemptID) -> SimulatedServer.Attempt? {
        guard let attempt = servers[server].attempts.removeValue(forKey: id) else { return nil }
        let destination = attempt.delivery.recipients[0].destination
        internet.ended(destination)
        servers[server].toDestination[destination, default: 0] -= 1
        for recipient in attempt.delivery.recipients {
            let row = queue.row(attempt.delivery.message.code, recipient.number)
            if journeys[row].owner == servers[server].owner { journeys[row].server = nil }
        }
        return attempt
    }

    /// The connection is dropped. The other side may have taken the message all the same.
    mutating func cancel(_ server: Int, _ id: AttemptID) {
        guard let attempt = servers[server].attempts[id] else { return }
        if !wasTroubled(server, since: attempt.since), settings.storeFailure == 0 {
            violated("an attempt was cancelled without trouble")
        }
        _ = endAttempt(server, id)
        let report = AttemptReport(connection: .unknown, others: .notTried)
        tellSoon(server, .attemptEnded(id, report))
    }

    /// Whether a server was down, stalled or crashed at any time since `instant`.
    func wasTroubled(_ server: Int, since instant: Instant) -> Bool {
        servers[server].owner == 0 || servers[server].stalledUntil > now || servers[server].troubledUntil >= instant
    }

    // MARK: - Settlements

    mutating func settle(_ plan: SettlementPlan, owner: Int64) {
        for planned in plan.recipients {
            let row = queue.row(plan.code, planned.number)
            let isTold = plan.notices.contains { $0.recipients.contains(planned.number) }
            if isTold, queue.recipient(row).reversePath == nil { violated("a notice to the null sender") }
            let isMissing = if case .failed = planned.outcome { !isTold } else { false }
            if isMissing { violated("row \(row) failed and nobody is told") }
        }
        for row in queue.settle(plan, owner: owner, now: now) {
            counts.notices += 1
            // Some senders are elsewhere: their bounces are mail too.
            if generator.chance(settings.bouncesElsewhere) {
                arrive(sender: 0, destination: generator.below(settings.destinations), recipients: 1, isNotice: true)
            }
            if queue.rows[row].failureNotices > 1 { violated("row \(row) has two notices for one failure") }
        }
        for planned in plan.recipients {
            let row = queue.row(plan.code, planned.number)
            if queue.rows[row].delayNotices > 1 { violated("row \(row) has two delay notices") }
            if let endedAt = queue.rows[row].endedAt, endedAt == now {
                let over = endedAt - queue.messages[queue.rows[row].message].expiresAt
                counts.longestOverrun = max(counts.longestOverrun, over)
                if queue.rows[row].final != .relayed, journeys[row].sent > 0, !journeys[row].isReplyLost,
                    !lostTrack(row)
                {
                    violated("row \(row) was sent, and then \(planned.outcome)")
                }
            }
        }
        if !queue.ledger.holds { violated("the ledger drifts by \(queue.ledger.drift)") }
    }

    // MARK: - Trouble

    mutating func planTrouble(_ server: Int) {
        guard let every = settings.crashEvery else { return }
        let mean = Double(every.components.seconds)
        let after = generator.seconds(1...2 * mean)
        switch generator.below(10) {
        case 0...5: events.add(.crash(server: server), at: now + after)
        case 6...7: events.add(.stall(server: server), at: now + after)
        default: events.add(.stop(server: server), at: now + after)
        }
    }

    mutating func crash(_ server: Int) {
        planTrouble(server)
        guard servers[server].owner != 0 else { return }
        counts.crashes += 1
        lastDisturbance = max(lastDisturbance, now)
        for id in servers[server].attempts.keys.sorted() {
            guard let attempt = endAttempt(server, id) else { continue }
            // The last line may have gone out before.
            for recipient in attempt.delivery.recipients where generator.chance(0.1) {
                let row = queue.row(attempt.delivery.message.code, recipient.number)
                if case .relayed = attempt.verdict.report.results[recipient.number] ?? attempt.verdict.report.others {
                    taken(row, server: server, since: attempt.since, .unread)
                }
            }
        }
        servers[server].owner = 0
        servers[server].engine = nil
        servers[server].timer = nil
        servers[server].troubledUntil = now
        events.add(.restart(server: server), at: now + generator.seconds(1...3_600))
    }

    mutating func stall(_ server: Int) {
        planTrouble(server)
        guard servers[server].owner != 0 else { return }
        counts.stalls += 1
        servers[server].stalledUntil = now + generator.seconds(60...1_500)
        servers[server].troubledUntil = servers[server].stalledUntil
        lastDisturbance = max(lastDisturbance, servers[server].stalledUntil)
    }

    mutating func restart(_ server: Int) {
        guard servers[server].owner == 0 else { return }
        lastOwner += 1
        var configuration = QueueEngineConfiguration(owner: lastOwner)
        settings.change(&configuration)
        servers[server].owner = lastOwner
        servers[server].engine = QueueEngine(configuration: configuration)
        servers[server].troubledUntil = now
        servers[server].stalledUntil = now
        servers[server].attempts = [:]
        servers[server].toDestination = [:]
        servers[server].isStopping = false
        lastDisturbance = max(lastDisturbance, now)
        tell(server, .started)
    }

    static let address: EmailAddress = {
        guard let address = EmailAddress("user@home.test") else { preconditionFailure("that is an address") }
        return address
    }()
    static let blob: BlobID = {
        guard let blob = BlobID([UInt8](repeating: 1, count: 32)) else { preconditionFailure("32 octets are a name") }
        return blob
    }()
}
