internal import Authentication
internal import MartletCore
internal import NetworkTransport
internal import Observation
internal import OutboundDelivery
internal import Records
internal import SMTPServer
internal import ServerMetrics
internal import StoreEngine

// The page of metrics. Names have their unit, seconds or bytes; Docs/operations.md has what to make of them.
extension ServerObserver {
    func metricsPage() async -> String {
        let facts: Facts? = phase == .running ? await facts() : nil
        var page = MetricsPage()
        page.family(
            "martlet_build_info", .gauge, "The program's version.",
            [(labels: [(name: "version", value: Version.text)], 1)])
        addConnections(&page)
        addMail(&page)
        addLogins(&page)
        if let facts { add(facts, &page) }
        addStore(&page)
        let readiness = Readiness(phase: phase, alarms: alarms)
        page.single(
            "martlet_ready", .gauge, "Whether mail can be given to the server: 1 or 0.", readiness.isReady ? 1 : 0)
        let names = Set(alarms.map(\.name))
        page.family(
            "martlet_alarm", .gauge, "Alarms, 1 while one is in force.",
            Alarm.Name.allCases.map {
                (labels: [(name: "name", value: $0.label)], names.contains($0) ? 1 : 0)
            })
        await addProcess(&page)
        return page.text
    }

    // MARK: Parts

    private func addConnections(_ page: inout MetricsPage) {
        func samples(_ value: (ConnectionMetrics) -> UInt64) -> [(labels: MetricsPage.Labels, value: Double)] {
            parts.listeners.map { ([(name: "service", value: $0.service)], Double(value($0.metrics))) }
        }
        page.family(
            "martlet_connections_total", .counter, "Connections that were taken.", samples { $0.opened.value })
        page.family(
            "martlet_connections_open", .gauge, "Connections that are open.",
            parts.listeners.map { ([(name: "service", value: $0.service)], Double($0.connections)) })
        page.family(
            "martlet_connections_refused_total", .counter, "Connections that were refused at the door.",
            parts.listeners.flatMap { listener in
                ConnectionMetrics.Refusal.allCases.map { reason in
                    (
                        labels: [(name: "service", value: listener.service), (name: "reason", value: reason.rawValue)],
                        value: Double(listener.metrics.refused[reason])
                    )
                }
            })
        page.family(
            "martlet_received_bytes_total", .counter, "Bytes from clients, inside TLS.",
            samples { $0.receivedBytes.value })
        page.family(
            "martlet_sent_bytes_total", .counter, "Bytes to clients, inside TLS.", samples { $0.sentBytes.value })
    }

    private func addMail(_ page: inout MetricsPage) {
        func samples(
            _ family: (SMTPMetrics) -> CounterFamily<SMTPMetrics.Outcome>, _ outcomes: [SMTPMetrics.Outcome]
        ) -> [(labels: MetricsPage.Labels, value: Double)] {
            parts.smtp.flatMap { name, service in
                outcomes.map { outcome in
                    (
                        labels: [(name: "service", value: name), (name: "outcome", value: outcome.rawValue)],
                        value: Double(family(service.metrics)[outcome])
                    )
                }
            }
        }
        page.family(
            "martlet_messages_received_total", .counter, "Messages by the reply to their end.",
            samples({ $0.messages }, SMTPMetrics.Outcome.allCases))
        page.family(
            "martlet_messages_received_bytes_total", .counter, "Bytes of messages that were accepted.",
            parts.smtp.map { ([(name: "service", value: $0.name)], Double($0.service.metrics.acceptedBytes.value)) })
        page.family(
            "martlet_envelopes_refused_total", .counter, "MAIL and RCPT that were not accepted.",
            samples({ $0.envelopes }, [.refused, .deferred]))
        guard let relay = parts.outbound?.metrics else { return }
        page.family(
            "martlet_relay_recipients_total", .counter, "Recipients at other servers, by what an attempt came to.",
            RelayMetrics.Outcome.allCases.map {
                ([(name: "outcome", value: $0.rawValue)], Double(relay.recipients[$0]))
            })
        page.histograms(
            "martlet_delivery_attempt_duration_seconds", "How long attempts to hand mail to another server took.",
            [([], relay.attempts.snapshot)])
    }

    private func addLogins(_ page: inout MetricsPage) {
        guard let logins = parts.authenticator?.metrics else { return }
        let failed = LoginFailure.Kind.allCases.map { kind in
            (labels: [(name: "result", value: kind.rawValue)], value: Double(logins.failed[kind]))
        }
        page.family(
            "martlet_logins_total", .counter, "Logins by how they ended.",
            [(labels: [(name: "result", value: "ok")], value: Double(logins.succeeded.value))] + failed)
    }

    private func add(_ facts: Facts, _ page: inout MetricsPage) {
        let observed = facts.observed
        if let store = facts.store {
            page.family(
                "martlet_ledger_recipients_total", .counter, "Recipients in the ledger since the store was made.",
                Ledger.Entry.allCases.filter { $0 != .queued }.map {
                    ([(name: "entry", value: $0.rawValue)], Double(store.ledger[$0]))
                })
            page.single(
                "martlet_ledger_drift_recipients", .gauge,
                "Recipients that the ledger does not account for; 0 when it holds.",
                Double(store.drift))
            page.single(
                "martlet_queue_messages", .gauge, "Messages that wait for other servers.", Double(store.queuedMessages))
            let waiting = store.queuedRecipients - store.heldRecipients - store.leasedRecipients
            page.family(
                "martlet_queue_recipients", .gauge,
                "Recipients that wait for other servers, by state; leased is tried now.",
                [("waiting", max(0, waiting)), ("leased", store.leasedRecipients), ("held", store.heldRecipients)].map {
                    ([(name: "state", value: $0.0)], Double($0.1))
                })
        }
        page.single(
            "martlet_queue_oldest_age_seconds", .gauge, "How long the oldest message has waited; 0 when none waits.",
            observed.queueAge.map(ServerObserver.seconds))
        page.single(
            "martlet_certificate_expiry_seconds", .gauge,
            "Until the certificate that ends first expires; negative afterwards.",
            observed.certificates?.map(\.rest).min().map(ServerObserver.seconds))
        page.single(
            "martlet_disk_free_bytes", .gauge, "Free on the disk of the data directory.",
            observed.disk.map { Double($0.free) })
        page.single(
            "martlet_disk_size_bytes", .gauge, "Size of the disk of the data directory.",
            observed.disk.map { Double($0.total) })
        let sizes = [("rows", facts.disk.databaseBytes), ("messages", facts.disk.segmentBytes)]
        page.family(
            "martlet_store_bytes", .gauge, "What the store has on the disk.",
            sizes.compactMap { kind, size in
                size.map { (labels: [(name: "kind", value: kind)], value: Double($0)) }
            })
    }

    private func addStore(_ page: inout MetricsPage) {
        page.histograms(
            "martlet_store_commit_duration_seconds", "How long commits took, each with all that waited for it.",
            [([], engine.commitDurations.snapshot)])
        page.single(
            "martlet_store_commits_failed_total", .counter, "Commits that could not be written.",
            Double(engine.commitFailures.value))
        let statistics = engine.statistics
        page.single(
            "martlet_store_operations_total", .counter, "Changes that were committed or refused.",
            Double(statistics.operations))
        page.single(
            "martlet_store_index_cache_bytes", .gauge, "Memory for the indexes of mailboxes in use.",
            Double(statistics.indexBytes))
    }

    private func addProcess(_ page: inout MetricsPage) async {
        let process = await Task.detached { ProcessFacts.read() }.value
        page.single(
            "process_resident_memory_bytes", .gauge, "Resident memory.", process.residentBytes.map { Double($0) })
        page.single(
            "process_cpu_seconds_total", .counter, "Processor time, user and system.", process.processorSeconds)
        page.single("process_start_time_seconds", .gauge, "When the process began, since 1970.", process.startSeconds)
        page.single("process_open_fds", .gauge, "Open descriptors.", process.openDescriptors.map { Double($0) })
        page.single(
            "process_max_fds", .gauge, "Descriptors that may be open.", process.maximumDescriptors.map { Double($0) })
    }

    private static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds / 1_000_000_000_000_000) / 1_000
    }
}
