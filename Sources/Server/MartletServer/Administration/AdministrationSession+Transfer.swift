package import MailTransfer

// Imports and exports, on the way that the session has: through the server, or into the store that this process opened.
extension AdministrationSession {
    /// Where an import into this account goes. The session does nothing else meanwhile.
    package func importTarget(address: String, keepsDuplicates: Bool) throws(TransferError) -> any ImportTarget {
        switch way {
        case .server(let client):
            return ControlTarget(client, address: address, keepsDuplicates: keepsDuplicates)
        case .store(let store, _):
            let request = AdministrationRequest.importOpen(address: address, keepsDuplicates: keepsDuplicates)
            guard case .imports(let importer) = store.administration.transfer(request) else {
                throw TransferError(.target, "there is no account \(address); “martlet account list” lists them")
            }
            return importer
        }
    }

    /// Where an export of this account comes from.
    package func exportSource(address: String) throws(TransferError) -> any ExportSource {
        switch way {
        case .server(let client): return ControlSource(client, address: address)
        case .store(let store, _):
            let request = AdministrationRequest.exportOpen(address: address, mailbox: "", above: 0)
            guard case .exports(let exporter, _, _) = store.administration.transfer(request) else {
                throw TransferError(.source, "there is no account \(address); “martlet account list” lists them")
            }
            return exporter
        }
    }
}
