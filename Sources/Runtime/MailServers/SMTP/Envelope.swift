internal import DeliveryPolicy
internal import MailStore
internal import MartletCore
internal import Records
internal import SMTPProtocol

/// The transaction that MAIL began, as decided so far.
struct Envelope {
    /// A recipient that was taken.
    struct Recipient {
        /// As given in RCPT.
        var text: String
        var targets: [Resolution.Target]
    }

    var reversePath: ReversePath
    var parameters: MailParameters
    var recipients: [Recipient] = []
    var decisions: [Decision] = []
    /// The record's code, from the moment that the message begins.
    var code: LookupCode?
    /// The spool could not be opened.
    var failure: StoreError?
}
