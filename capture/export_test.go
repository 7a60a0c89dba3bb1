package capture

// Hold has the scan begin no more targets while so many services are in flight.
func (s *Scan) Hold(services int) { s.mostInFlight = services }
