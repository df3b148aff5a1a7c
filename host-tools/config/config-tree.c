/* SPDX-License-Identifier: MIT */

/* The values of [Files] that say what becomes of the tree, and what covers it. */

#include "../nearest.h"
#include "cleanup.h"
#include "config-value.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

int config_parse_volatile(struct config_value *value)
{
	enum volatile_mode *field = value->field;
	int r = config_boolean(value->text);

	if (strcmp(value->text, "state") == 0)
		*field = VOLATILE_STATE;
	else if (strcmp(value->text, "overlay") == 0)
		*field = VOLATILE_OVERLAY;
	else if (*value->text == '\0' || r == 0)
		*field = VOLATILE_NO;
	else if (r == 1)
		*field = VOLATILE_YES;
	else
		return config_refuse(value, "must be yes, no, state or overlay");
	return 0;
}

int config_parse_ownership(struct config_value *value)
{
	enum ownership *field = value->field;

	if (strcmp(value->text, "chown") == 0)
		return config_refuse(value,
			"narthex never changes the owners of a tree on disk: 'map' "
			"shows them shifted");
	if (strcmp(value->text, "foreign") == 0)
		return config_refuse(value,
			"a tree's owners are 0 to 65535 here, not systemd's foreign UID range: "
			"shift them down, and take 'map'");
	if (strcmp(value->text, "off") == 0)
		*field = OWNERSHIP_OFF;
	else if (*value->text == '\0' || strcmp(value->text, "map") == 0 ||
		 strcmp(value->text, "auto") == 0)
		*field = OWNERSHIP_MAP;
	else
		return config_refuse(value, "must be map, auto or off");
	return 0;
}

/* The older key: a boolean, of which yes is "auto". */
int config_parse_ownership_chown(struct config_value *value)
{
	enum ownership *field = value->field;
	int r = *value->text ? config_boolean(value->text) : 1;

	if (r < 0)
		return config_refuse(value, "must be yes or no");
	*field = r ? OWNERSHIP_MAP : OWNERSHIP_OFF;
	return 0;
}

int config_parse_inaccessible(struct config_value *value)
{
	char ***field = value->field, *path = NULL;
	int r;

	if (*value->text == '\0') {
		config_list_free(TAKE_PTR(*field));
		return 0;
	}
	r = config_clean_path(value, value->text, &path);
	if (r < 0)
		return r;
	if (strcmp(path, "/") == 0 || strcmp(path, "/run") == 0 || strcmp(path, "/run/host") == 0 ||
		strncmp(path, "/run/host/narthex", 17) == 0) {
		free(path);
		return config_refuse(value, "no container works without it");
	}
	return config_list_append(field, path);
}

/* --- Overlay=, OverlayReadOnly= ------------------------------------------------------------- */

void config_overlay_done(struct config_overlay *overlay)
{
	config_list_free(overlay->layers);
	free(overlay->target);
	*overlay = (struct config_overlay){};
}

const char *config_overlay_upper(const struct config_overlay *overlay)
{
	size_t n = 0;

	while (overlay->layers[n + 1])
		n++;
	return overlay->read_only || overlay->layers[n][0] != '/' ? NULL : overlay->layers[n];
}

static void forget_overlays(struct container_config *config, bool read_only)
{
	size_t kept = 0;

	for (size_t i = 0; i < config->n_overlays; i++) {
		if (config->overlays[i].read_only == read_only)
			config_overlay_done(&config->overlays[i]);
		else
			config->overlays[kept++] = config->overlays[i];
	}
	config->n_overlays = kept;
}

/* A layer: "/host/path", "+/path/in/the/tree", or "" for a temporary one on top. */
static int take_layer(struct config_value *value, struct config_overlay *overlay, const char *text)
{
	bool inside = *text == '+';
	char *path = NULL, *layer = NULL;
	int r;

	if (*text == '\0') {
		layer = strdup("");
	} else {
		r = config_clean_path(value, text + inside, &path);
		if (r < 0)
			return r;
		if (inside && strcmp(path, "/") == 0) {
			free(path);
			return config_refuse(
				value, "the root itself can't be a layer: see Volatile=");
		}
		if (asprintf(&layer, "%s%s", inside ? "+" : "", path) < 0)
			layer = NULL;
		free(path);
	}
	return config_list_append(&overlay->layers, layer);
}

static size_t count_layers(const struct config_overlay *overlay)
{
	size_t n = 0;

	while (overlay->layers && overlay->layers[n])
		n++;
	return n;
}

/* The last part is the target, and with only two of them a layer as well. */
static int parse_overlay_text(struct config_value *value, struct config_overlay *overlay)
{
	_cleanup_free_ char *previous = NULL;
	const char *p = value->text;
	size_t n = 0;
	int r = 0;

	while (r == 0 && p) {
		char *part = NULL;

		if (previous)
			r = take_layer(value, overlay, previous);
		if (r == 0)
			r = config_next_part(value, &p, &part);
		if (r == 0) {
			free(previous);
			previous = part;
			n++;
		}
	}
	if (r == 0 && n < 2)
		return config_refuse(value, "at least two paths are needed: LOWER:UPPER:TARGET");
	if (r == 0 && n == 2)
		r = take_layer(value, overlay, previous);
	if (r == 0)
		r = config_clean_path(value, previous, &overlay->target);
	return r == 0 ? config_check_target(value, overlay->target) : r;
}

static int check_layers(struct config_value *value, const struct config_overlay *overlay)
{
	size_t n = count_layers(overlay);

	for (size_t i = 0; i < n; i++)
		if ((i < n - 1 || overlay->read_only) && overlay->layers[i][0] == '\0')
			return config_refuse(
				value, overlay->read_only
					       ? "a temporary layer makes no sense in one that is "
						 "read-only"
					       : "only the uppermost layer can be a temporary one");
	/* the kernel takes their descriptions in one string of 256 bytes */
	if (n > CONFIG_LAYERS_MAX)
		return config_refuse(value, "more than %d layers", CONFIG_LAYERS_MAX);
	return 0;
}

static int parse_overlay(struct config_value *value, bool read_only)
{
	struct container_config *config = value->config;
	struct config_overlay overlay = { .read_only = read_only }, *bigger;
	int r;

	if (*value->text == '\0') {
		forget_overlays(config, read_only);
		return 0;
	}
	r = config->n_overlays < CONFIG_LIST_MAX ? parse_overlay_text(value, &overlay) : -E2BIG;
	if (r == 0)
		r = check_layers(value, &overlay);
	if (r == 0) {
		bigger = reallocarray(config->overlays, config->n_overlays + 1, sizeof(*bigger));
		if (bigger) {
			config->overlays = bigger;
			config->overlays[config->n_overlays++] = overlay;
			return 0;
		}
		r = -ENOMEM;
	}
	config_overlay_done(&overlay);
	return r;
}

int config_parse_overlay(struct config_value *value)
{
	return parse_overlay(value, false);
}

int config_parse_overlay_read_only(struct config_value *value)
{
	return parse_overlay(value, true);
}
