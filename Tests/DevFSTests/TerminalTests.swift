import Testing

@testable import DevFS
