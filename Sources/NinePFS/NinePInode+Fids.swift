internal import LinuxABI

// The fids that stand for a file, and the names by which the server finds it.
extension NinePInode {
  /// Keeps a fid that stands for a name of this file.
  func adopt(_ fid: NinePFid) {
    if pathFid == nil {
      pathFid = fid
      share.noteFid()
    }
  }

  /// A fid that stands for a name of this file, perhaps opened.
  ///
  /// - Throws: As `nameFid`.
  func fid() throws(Errno) -> NinePFid {
    if readFidHasName, let fid = content?.readFid { return fid }
    return try nameFid()
  }

  /// A fid that stands for a name of this file and was not opened, found from the nearest directory that has one.
  ///
  /// - Throws: `ENOENT` when there is no name any more; what the server says.
  func nameFid() throws(Errno) -> NinePFid {
    if let pathFid { return pathFid }
    if isUnlinked { throw .ENOENT }
    var names: [[UInt8]] = []
    var at = self
    while true {
      guard let place = at.places.last else { throw .ESTALE }
      names.append(place.name)
      at = place.directory
      if let start = at.pathFid {
        names.reverse()
        let fid = try client.walk(start, names[...])
        adopt(fid)
        return fid
      }
    }
  }

  /// How many fids `releaseFids` could give up.
  var fidCount: Int { (pathFid != nil ? 1 : 0) + (directoryFid != nil ? 1 : 0) + (content?.readFid != nil ? 1 : 0) }

  /// Gives up the fids that can be had again.
  func releaseFids() {
    if places.isEmpty { return }
    pathFid = nil
    if openCount > 0 { return }
    directoryFid = nil
    content?.readFid = nil
    readFidHasName = false
  }

  /// Gives up all fids: the file system is not mounted any more, and nothing of it is open.
  func forgetFids() {
    pathFid = nil
    directoryFid = nil
    content?.readFid = nil
    content?.writeFid = nil
    lockFid = nil
    readFidHasName = false
    places = []
  }

  /// Notes a name that leads here.
  func addPlace(_ directory: NinePInode, _ name: [UInt8]) {
    for place in places where place.directory === directory && place.name == name { return }
    places.append(Place(directory: directory, name: name))
  }

  /// Notes that a name is gone, or leads elsewhere.
  func removePlace(_ directory: NinePInode, _ name: [UInt8]) {
    places.removeAll { $0.directory === directory && $0.name == name }
    // They may stand for the name that is gone.
    pathFid = nil
    readFidHasName = false
  }
}
