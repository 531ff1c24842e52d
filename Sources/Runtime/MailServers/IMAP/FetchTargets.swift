internal import IMAPProtocol
internal import MailStore

/// The messages that a command means: their sequence numbers in the view and their places in the store's index, ascending.
///
/// When the view is what the index is, which is almost always, nothing is stored for a range; otherwise the two are merged.
struct FetchTargets {
    private enum Form {
        /// Positions in view and index alike.
        case same(Range<Int>)
        case pairs([(position: UInt32, place: UInt32)])
    }
    private var form: Form
    /// UIDs of the view that are meant and are gone from the store: not announced yet.
    private(set) var missing = 0

    var count: Int {
        switch form {
        case .same(let range): range.count
        case .pairs(let pairs): pairs.count
        }
    }

    /// The sequence number and the place in the index.
    @inline(__always)
    subscript(number: Int) -> (sequence: Int, place: Int) {
        switch form {
        case .same(let range): (range.lowerBound + number + 1, range.lowerBound + number)
        case .pairs(let pairs): (Int(pairs[number].position) + 1, Int(pairs[number].place))
        }
    }

    /// - Parameters:
    ///   - set: positions in the view.
    ///   - viewUIDs: the view.
    ///   - isSame: the view is what the index is.
    init(_ set: PositionSet, viewUIDs: [UInt32], index: MailboxIndex, isSame: Bool) {
        if isSame, set.ranges.count <= 1 {
            form = .same(set.ranges.first ?? 0..<0)
            return
        }
        var pairs: [(position: UInt32, place: UInt32)] = []
        pairs.reserveCapacity(set.count)
        for range in set.ranges {
            guard range.upperBound <= viewUIDs.count else { break }
            var place = isSame ? range.lowerBound : firstPosition(in: index.uids, atLeast: viewUIDs[range.lowerBound])
            for position in range {
                let uid = viewUIDs[position]
                while place < index.uids.count, index.uids[place] < uid { place += 1 }
                if place < index.uids.count, index.uids[place] == uid {
                    pairs.append((UInt32(truncatingIfNeeded: position), UInt32(truncatingIfNeeded: place)))
                } else {
                    missing += 1
                }
            }
        }
        form = .pairs(pairs)
    }

    /// Leaves only the messages at whose place `isWanted` holds.
    mutating func filter(_ isWanted: (_ place: Int) -> Bool) {
        var pairs: [(position: UInt32, place: UInt32)] = []
        for number in 0..<count {
            let (sequence, place) = self[number]
            if isWanted(place) {
                pairs.append((UInt32(truncatingIfNeeded: sequence - 1), UInt32(truncatingIfNeeded: place)))
            }
        }
        form = .pairs(pairs)
    }
}

extension SelectedMailbox {
    /// Whether positions in the view are places in `index`.
    func isSame(as index: MailboxIndex) -> Bool {
        pendingExpunges.isEmpty && index.highestModSeq == synced && index.count == count
    }
}
