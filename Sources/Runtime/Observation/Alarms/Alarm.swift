/// Something that an administrator should see to before it is too late.
public struct Alarm: Sendable, Hashable {
    /// Names are stable: programs and people's rules name them.
    public enum Name: String, Sendable, Hashable, CaseIterable {
        /// The ledger does not account for all mail.
        case ledgerDrift = "ledger-drift"
        /// A message has waited too long for another server.
        case queueAge = "queue-age"
        case certificateExpiry = "certificate-expiry"
        case diskSpace = "disk-space"
        /// No message can be taken.
        case storeUnwritable = "store-unwritable"

        /// As a label of a metric has it: `queue_age`.
        public var label: String { rawValue.replacing("-", with: "_") }
    }

    public var name: Name
    /// One sentence with the value and its threshold.
    public var text: String
    /// One thing to do.
    public var remedy: String
    /// Mail fails because of it: the server is not ready.
    public var stopsMail: Bool

    public init(_ name: Name, _ text: String, remedy: String, stopsMail: Bool = false) {
        self.name = name
        self.text = text
        self.remedy = remedy
        self.stopsMail = stopsMail
    }
}
