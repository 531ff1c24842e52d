public import MailStore
public import QueueEngine
public import Records

/// Makes attempts: SMTP in production, a script in tests.
public protocol AttemptRunning: Sendable {
    /// Tries to hand the delivery to its destination. Ends within the time that its timeouts give, and soon after its task is
    /// cancelled. The attempt's `recipients` are left empty: what a failure means for them is the engine's to say.
    func run(_ delivery: QueuedDelivery, content: any QueueStore) async -> (AttemptReport, DeliveryAttempt)
    /// Ends idle connections.
    func close() async
}
