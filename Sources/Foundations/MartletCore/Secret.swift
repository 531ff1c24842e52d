/// A text that never shows itself: passwords and keys. Printing, interpolating or logging one gives `<secret>`.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The bytes. Reading this is the one way to the content, so that it can be searched for.
    public let exposed: [UInt8]

    public init(_ bytes: [UInt8]) { exposed = bytes }
    public init(_ text: String) { exposed = Array(text.utf8) }

    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
