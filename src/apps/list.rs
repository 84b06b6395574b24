//! Reads apps and their warnings for pages and commands.

use crate::apps::Slug;
use crate::apps::app::App;
use crate::apps::app_file_entry::AppFileEntry;
use crate::apps::app_refusal::AppWarning;
use crate::apps::change::listed_users;
use crate::apps::file::AppsFile;
use crate::apps::origin::AppOrigin;
use crate::apps::queries;
use crate::apps::rule::{Access, Rule};
use crate::apps::service::Apps;
use crate::apps::stored::StoredApps;
use crate::config::{RegistrationMode, UpstreamsFrom};
use crate::db::Fault;
use crate::identity::{self, Email, User, UserId};

impl Apps {
    /// All apps by slug, disabled ones too, as they are stored now.
    pub async fn list(&self) -> Result<Vec<App>, Fault> {
        Ok(self.stored().await?.apps)
    }

    /// The same, with the apps that this version cannot read.
    pub async fn stored(&self) -> Result<StoredApps, Fault> {
        self.db.read(queries::stored_apps).await
    }

    pub async fn find(&self, slug: &str) -> Result<Option<App>, Fault> {
        Ok(self.list().await?.into_iter().find(|app| app.slug.as_str() == slug))
    }

    /// All apps as a file. Users are written as email addresses.
    pub async fn export(&self) -> Result<AppsFile, Fault> {
        self.export_of(self.list().await?).await
    }

    /// One app as a file.
    pub async fn export_one(&self, app: &App) -> Result<AppsFile, Fault> {
        self.export_of(vec![app.clone()]).await
    }

    /// Each app in the format of a file. Users are written as email addresses.
    pub async fn entries(&self, apps: &[App]) -> Result<Vec<AppFileEntry>, Fault> {
        let written = self.written_users(apps).await?;
        Ok(apps.iter().map(|app| AppFileEntry::of(app, &written)).collect())
    }

    async fn export_of(&self, apps: Vec<App>) -> Result<AppsFile, Fault> {
        let written = self.written_users(&apps).await?;
        Ok(AppsFile::of(&apps, &written))
    }

    /// How to write the users in the rules of `apps`.
    async fn written_users(&self, apps: &[App]) -> Result<impl Fn(UserId) -> String + use<>, Fault> {
        let users: Vec<UserId> = apps.iter().flat_map(|app| listed_users(&app.rules)).collect();
        let addresses = self.db.read(move |conn| queries::addresses(conn, &users)).await?;
        Ok(move |user: UserId| {
            let address = addresses.iter().find(|(id, _)| *id == user);
            address.map_or_else(|| user.to_string(), |(_, address)| address.clone())
        })
    }

    /// A user as sessions cache them, for a decision about a request that was not sent; `None` if there is no user with
    /// this email address, or the user is disabled.
    pub async fn user(&self, email: &Email) -> Result<Option<(UserId, User)>, Fault> {
        let key = email.key().clone();
        self.db.read(move |conn| identity::queries::user_at(conn, &key)).await
    }

    /// The email addresses of the users in the rules of an app. Deleted users are left out.
    pub async fn addresses_in(&self, app: &App) -> Result<Vec<(UserId, String)>, Fault> {
        let users: Vec<UserId> = listed_users(&app.rules).collect();
        self.db.read(move |conn| queries::addresses(conn, &users)).await
    }

    /// The rules of a new app that names none. In local mode they let in every user, elsewhere no one.
    pub fn default_rules(&self) -> Vec<Rule> {
        if self.is_local { vec![Rule::everywhere(Access::SignedIn)] } else { Vec::new() }
    }

    /// The origin of a new app that names none; `None` outside local mode.
    pub fn default_origin(&self, slug: &Slug) -> Option<AppOrigin> {
        self.is_local.then(|| AppOrigin::local(slug, &self.portal.origin)).flatten()
    }

    /// Where upstreams may be set.
    pub fn upstreams_from(&self) -> UpstreamsFrom {
        self.upstreams_from
    }

    pub fn warnings(&self, app: &App) -> Vec<AppWarning> {
        let anyone = self.registration == RegistrationMode::Open
            && app.rules.iter().any(|rule| rule.access == Access::SignedIn);
        let warnings =
            [(anyone, AppWarning::AnyoneMayRegister), (app.rules.is_empty(), AppWarning::NobodyAllowed)];
        warnings.into_iter().filter(|(holds, _)| *holds).map(|(_, warning)| warning).collect()
    }
}
