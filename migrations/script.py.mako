## No revision is made here: each plugin has a history of its own.
<%! from vinc_migrations.env import refuse %>
<% refuse("revision") %>
