# Registers the stand-ins, as real upstream services register themselves.
services {
  name    = "account_service"
  id      = "account_service-1"
  address = "upstreams"
  port    = 8202
  check {
    http     = "http://upstreams:8202/health"
    interval = "5s"
    timeout  = "2s"
  }
}
services {
  name    = "organization_service"
  id      = "organization_service-1"
  address = "upstreams"
  port    = 8210
  check {
    http     = "http://upstreams:8210/health"
    interval = "5s"
    timeout  = "2s"
  }
}
services {
  name    = "payment_service"
  id      = "payment_service-1"
  address = "upstreams"
  port    = 8207
  check {
    http     = "http://upstreams:8207/health"
    interval = "5s"
    timeout  = "2s"
  }
}
