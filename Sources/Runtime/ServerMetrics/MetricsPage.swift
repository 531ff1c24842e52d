/// A page in Prometheus' text format, version 0.0.4: families with HELP and TYPE, each with its samples.
public struct MetricsPage: Sendable {
    public enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    public typealias Labels = [(name: String, value: String)]

    /// Of the page's answer.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The whole page; each line ends in LF.
    public private(set) var text = ""
    private var families: Set<String> = []

    public init() {}

    /// A family with all its samples. One without samples is left out.
    /// - Parameters:
    ///   - name: with its unit, that of a counter ends in `_total`.
    ///   - help: a sentence.
    public mutating func family(
        _ name: String, _ kind: Kind, _ help: String, _ samples: [(labels: Labels, value: Double)]
    ) {
        guard !samples.isEmpty else { return }
        begin(name, kind, help)
        for sample in samples { line(name, sample.labels, MetricsPage.number(sample.value)) }
    }

    /// A family of one sample without labels; left out where the value is not known.
    public mutating func single(_ name: String, _ kind: Kind, _ help: String, _ value: Double?) {
        guard let value else { return }
        family(name, kind, help, [(labels: [], value: value)])
    }

    /// A family of histograms.
    public mutating func histograms(_ name: String, _ help: String, _ all: [(labels: Labels, Histogram.Snapshot)]) {
        guard !all.isEmpty else { return }
        begin(name, .histogram, help)
        for (labels, snapshot) in all {
            let bounds = snapshot.bounds.map(MetricsPage.number) + ["+Inf"]
            for (bound, count) in zip(bounds, snapshot.cumulative) {
                line(name + "_bucket", labels + [(name: "le", value: bound)], "\(count)")
            }
            line(name + "_sum", labels, MetricsPage.number(snapshot.sum))
            line(name + "_count", labels, "\(snapshot.count)")
        }
    }

    private mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        precondition(MetricsPage.isName(name), "a metric's name is made of letters, digits, “_” and “:”")
        precondition(families.insert(name).inserted, "a family stands on a page once")
        text += "# HELP \(name) \(MetricsPage.escapedHelp(help))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    private mutating func line(_ name: String, _ labels: Labels, _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            text += labels.map { "\($0.name)=\"\(MetricsPage.escapedValue($0.value))\"" }.joined(separator: ",")
            text += "}"
        }
        text += " \(value)\n"
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`
    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), 0x30...0x39,
                UInt8(ascii: "_"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
    }

    /// As Go reads a floating-point number.
    package static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return "\(Int64(value))" }
        return "\(value)"
    }

    static func escapedHelp(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
    }

    static func escapedValue(_ text: String) -> String { escapedHelp(text).replacing("\"", with: "\\\"") }
}
