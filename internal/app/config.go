package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/mde-ops/mde-ops/internal/telemetry"
)

// Config is everything that can be set, by environment variables. docs/configuration.md lists them; a test keeps that
// list complete.
type Config struct {
	Tenant   Tenant
	Read     Credential `env:", prefix=MDE_"`
	Write    Credential `env:", prefix=MDE_WRITE_"`
	Store    Secret     `env:"MDE_STORE"`
	Identity Identity
	HTTP     HTTP
	Surface  Surface
	Policy   PolicyConfig
	Slack    Slack
	Votes    Votes
	Audit    Audit
	Evidence Evidence
	Nexus    Nexus
	Timing   Timing
	Log      Log
	// Telemetry is who is told how the program does.
	Telemetry Telemetry

	// Sim is set by `--tenant sim`: a simulated tenant is started and used instead of a real one.
	Sim bool
	// Clock is the time that everything is reckoned by; time.Now when nil. Only demos and tests set it.
	Clock func() time.Time `json:"-"`
	// StoreOnly is set for commands that only look into the store, and so need no tenant.
	StoreOnly bool
	// Set holds the names of the variables that had a value, so that a refusal can name them.
	Set map[string]bool
	// OTel are the environment's OTEL_* variables. Some hold keys.
	OTel map[string]Secret
	// Meter measures the program; nothing does when nil. Measure makes it.
	Meter *telemetry.Telemetry `env:", noinit" json:"-"`
	// SecretFiles are the files that secrets were read from, by the variable that named them.
	SecretFiles map[string]string
}

// Tenant is where the API is and whose it is.
type Tenant struct {
	ID        string `env:"MDE_TENANT_ID"`
	CloudName string `env:"MDE_CLOUD"`            // default public, or the one that MDE_BASE_URL belongs to
	BaseURL   string `env:"MDE_BASE_URL"`         // default the cloud's
	Scope     string `env:"MDE_SCOPE"`            // default the cloud's
	Authority string `env:"MDE_AUTHORITY"`        // default the cloud's
	GraphURL  string `env:"MDE_GRAPH_URL"`        // default the cloud's
	CAFile    string `env:"MDE_CA_FILE"`          // PEM; trusted besides the system's, for the hosts above
	PerMinute int    `env:"MDE_CALLS_PER_MINUTE"` // of every endpoint; default each one's documented limit
	PerHour   int    `env:"MDE_CALLS_PER_HOUR"`
}

// Credential is one way to sign in to the tenant.
type Credential struct {
	Kind                string `env:"CREDENTIAL"` // one of azpipe's kinds or several in order; by default what the others imply
	ClientID            string `env:"CLIENT_ID"`
	ClientSecret        Secret `env:"CLIENT_SECRET"`
	CertificateFile     string `env:"CERTIFICATE_FILE"`
	CertificatePassword Secret `env:"CERTIFICATE_PASSWORD"`
	TokenFile           string `env:"FEDERATED_TOKEN_FILE"` // default AZURE_FEDERATED_TOKEN_FILE, with the kind workload
}

// Identity says who a caller of the MCP server or of the shell command is.
type Identity struct {
	Source string `env:"MDE_IDENTITY, default=config"` // config (unverified) or cli (the Azure CLI's signed-in user)
	User   string `env:"MDE_USER"`                     // e-mail or user principal name, with MDE_IDENTITY=config
}

// Surface says which tools the MCP server offers; policy decides about each call all the same.
type Surface struct {
	Toolsets []string `env:"MDE_TOOLSETS"` // default "default"
	Tools    []string `env:"MDE_TOOLS"`
	Exclude  []string `env:"MDE_EXCLUDE_TOOLS"`
	ReadOnly bool     `env:"MDE_READ_ONLY, default=false"`
}

// PolicyConfig is the policy file, or the settings of the default policy.
type PolicyConfig struct {
	File          string `env:"MDE_POLICY_FILE"`
	ApproverGroup string `env:"MDE_APPROVER_GROUP"` // Slack user group id of the default policy's approvers
	MaxDevices    int    `env:"MDE_MAX_DEVICES, default=100"`
	RoleAppID     string `env:"MDE_ENTRA_APP_ID"` // whose app roles a policy's groups may name; default MDE_CLIENT_ID
}

// Slack is the workspace and who may do what in it.
type Slack struct {
	BotToken        Secret   `env:"MDE_SLACK_BOT_TOKEN"`
	AppToken        Secret   `env:"MDE_SLACK_APP_TOKEN"`
	APIURL          string   `env:"MDE_SLACK_API_URL"` // default Slack's own
	ResponderGroup  string   `env:"MDE_SLACK_RESPONDER_GROUP"`
	Channels        []string `env:"MDE_SLACK_CHANNELS"`
	ApprovalChannel string   `env:"MDE_SLACK_APPROVAL_CHANNEL"`
	Team            string   `env:"MDE_SLACK_TEAM"` // default whichever the bot token belongs to

	PeopleFile string `env:"MDE_SLACK_PEOPLE_FILE"`            // names of people that are not their addresses
	TypedAbove int    `env:"MDE_SLACK_TYPED_ABOVE, default=5"` // a yes to more targets is typed

	Mode          string `env:"MDE_SLACK_MODE, default=socket"` // socket or http
	HTTPAddr      string `env:"MDE_SLACK_HTTP_ADDR"`            // with http; TLS is left to a proxy
	SigningSecret Secret `env:"MDE_SLACK_SIGNING_SECRET"`       // with http

	// With these the bot token is renewed before it ends, and BotToken is not used.
	ClientID     string `env:"MDE_SLACK_CLIENT_ID"`
	ClientSecret Secret `env:"MDE_SLACK_CLIENT_SECRET"`
	RefreshToken Secret `env:"MDE_SLACK_REFRESH_TOKEN"`

	ConfigToken Secret `env:"MDE_SLACK_CONFIG_TOKEN"` // for the doctor alone
}

// Votes are the keys that sign and verify votes.
type Votes struct {
	SigningKey Secret   `env:"MDE_VOTE_SIGNING_KEY"` // never in mde-mcp's configuration
	PublicKeys []string `env:"MDE_VOTE_PUBLIC_KEYS"` // besides the signing key's own
}

// Audit is where the audit goes besides the store, and the keys that sign and verify its checkpoints.
type Audit struct {
	SigningKey  Secret   `env:"MDE_AUDIT_SIGNING_KEY"` // never in mde-mcp's configuration
	PublicKeys  []string `env:"MDE_AUDIT_PUBLIC_KEYS"` // besides the signing key's own
	Checkpoints string   `env:"MDE_AUDIT_CHECKPOINTS"` // a folder or azblob://container?storage_account=name
	Export      string   `env:"MDE_AUDIT_EXPORT"`      // a file or the URL of a collector
	ExportToken Secret   `env:"MDE_AUDIT_EXPORT_TOKEN"`
}

// Evidence is where collected evidence is kept, and for how long.
type Evidence struct {
	Place string        `env:"MDE_EVIDENCE"`                  // a folder or azblob://…; default a folder beside the store
	Keep  time.Duration `env:"MDE_EVIDENCE_KEEP, default=0s"` // 0 keeps for ever
}

// Timing is every wait of the gate and its worker.
type Timing struct {
	Poll         time.Duration `env:"MDE_POLL_INTERVAL, default=5s"`
	Grace        time.Duration `env:"MDE_GRACE, default=5m"`
	SendLimit    time.Duration `env:"MDE_SEND_LIMIT, default=15s"`
	WriteTimeout time.Duration `env:"MDE_WRITE_TIMEOUT, default=20s"`
	SweepEvery   time.Duration `env:"MDE_SWEEP_EVERY, default=1m"`
	Recovery     time.Duration `env:"MDE_RECOVER_AFTER, default=1m"`
	Rescue       time.Duration `env:"MDE_RESCUE_AFTER, default=1m"`
	JobTimeout   time.Duration `env:"MDE_JOB_TIMEOUT, default=30s"`
	RunLimit     time.Duration `env:"MDE_RUN_LIMIT, default=1h"`
}

// Log is how much is logged, to standard error.
type Log struct {
	Level  slog.Level `env:"MDE_LOG_LEVEL, default=INFO"`
	Format string     `env:"MDE_LOG_FORMAT, default=text"` // text or json
}

// Secret is a value that must not be printed: formatting it shows only whether it is set.
type Secret struct{ value string }

// NewSecret wraps a value.
func NewSecret(value string) Secret { return Secret{value} }

// EnvDecode sets the secret from a variable's value.
func (s *Secret) EnvDecode(value string) error {
	s.value = value
	return nil
}

// Reveal returns the value, for the one call that needs it.
func (s Secret) Reveal() string { return s.value }

// String says whether the secret is set.
func (s Secret) String() string {
	if s.value == "" {
		return "(not set)"
	}
	return "(set)"
}

// Format prints what String says whatever the verb, because %#v and %d would look inside.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is String, so that structured logs do not print the value either.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Load reads the configuration from environ (KEY=value). All faults are reported together, each with the variable's
// name; no text holds a secret.
func Load(ctx context.Context, environ []string, sim bool) (Config, error) {
	return loadInto(ctx, environ, Config{Sim: sim})
}

// LoadStore is Load for commands that only look into the store: nothing of the tenant has to be set.
func LoadStore(ctx context.Context, environ []string) (Config, error) {
	return loadInto(ctx, environ, Config{StoreOnly: true})
}

func loadInto(ctx context.Context, environ []string, cfg Config) (Config, error) {
	env := newEnvironment(environ)
	faults := env.process(ctx, &cfg)
	cfg.Set, cfg.SecretFiles, cfg.OTel = env.set(), env.files, otelVariables(environ)
	faults = append(faults, env.faults()...)
	faults = append(faults, cfg.common()...)
	return cfg, faults.err()
}
